# SPDX-License-Identifier: MIT
"""The report in Chromium: what a person sees, presses and types. Each check opens a page of its own."""

import base64
import json
import os
import re
import time

import logs
from harness import ROOT, aiodebug, expect
from pngfile import squeezed

README_PICTURE = os.path.join(ROOT, "tests/scriptspage/report.png")


def report(scratch, log, name, *more):
    path = os.path.join(scratch, name)
    aiodebug("report", log, "-o", path, *more, cwd=ROOT)
    return "file://" + path


def clean(page, requests=1):
    """Nothing on the console, nothing refused, nothing asked of the network but the page itself."""
    page.browser.settle(0.1)
    expect(not page.troubles, page.troubles)
    asked = [url for url in page.requests if not url.startswith("data:")]
    expect(len(asked) == requests, asked)


def text(page, selector):
    return page.evaluate("document.querySelector(%s).innerText" % json.dumps(selector))


def number(page, selector):
    return page.evaluate("document.querySelectorAll(%s).length" % json.dumps(selector))


# ---------------------------------------------------------------------------------------------------- contents

def contents(browser, url, records):
    """Every part is drawn, and says what the log says."""
    page = browser.open(url)
    wrong = {r["check"] for r in records if r["level"] not in ("DEBUG", "INFO")}
    slugs = page.evaluate("[...document.querySelectorAll('.verdict .slug')].map((n) => n.textContent)")
    expect(set(slugs) == wrong, "%s, but the log has %s" % (slugs, wrong))
    said = {slug: 0 for slug in wrong}
    for r in records:
        if r["check"] in wrong:
            repeat = re.search(r"repeated (\d+) more", r["message"])
            said[r["check"]] += int(repeat[1]) if repeat else r["count"]
    sums = page.evaluate("[...document.querySelectorAll('.verdict .sum')].map((n) => n.textContent)")
    for slug, line in zip(slugs, sums):
        expect(line.startswith("%d time" % said[slug]), "%s: %s, but %d in the log" % (slug, line, said[slug]))
    expect(page.evaluate("[...document.querySelectorAll('.verdict')].every((n) => n.querySelector('.fix'))"),
           "every verdict says how to fix it")
    headings = page.evaluate("[...document.querySelectorAll('h2')].filter((n) => !n.closest('dialog')).map((n) => n.textContent)")
    expect(headings == ["Verdicts", "Timeline", "Durations", "Flame graph", "Findings", "Log"], headings)
    expect(number(page, "figure svg .column") > 5, "histograms")
    expect(number(page, "#flame-canvas .frame") > 4, "flame graph")
    lanes = page.evaluate("document.querySelector('#timeline-canvas').getAttribute('aria-label')")
    expect(lanes.startswith("Timeline of "), lanes)
    # The first finding is open, with the source around its line as it is in the file.
    expect(number(page, ".detail .stack") >= 1, "stacks")
    with open(os.path.join(ROOT, "tests/scriptspage/workshop.c"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    shown = page.evaluate("[...document.querySelectorAll('.detail .code .row.here')].map((n) => "
                          "[n.querySelector('.number').textContent, n.querySelector('code').textContent])")
    expect(shown, "source")
    for n, line in shown:
        expect(lines[int(n) - 1].strip() == line.strip(), "line %s is %r, not %r" % (n, lines[int(n) - 1], line))
    clean(page)
    page.close()


def handles(browser, scratch, build):
    """Programs on plain libuv: what they left behind, where it was created, the lines around it."""
    log = os.path.join(scratch, "uv.jsonl")
    records = logs.run_uv(build, scratch, log)
    page = browser.open(report(scratch, log, "uv.html"))
    slugs = set(page.evaluate("[...document.querySelectorAll('.verdict .slug')].map((n) => n.textContent)"))
    expect(slugs == {r["check"] for r in records} and {"unclosed-handle", "handle-destroyed-active"} <= slugs, slugs)
    page.click("#findings-chips button[value=left]")
    page.click("#findings-search")
    page.type("open_sockets")
    page.until("document.querySelectorAll('tr.finding').length === 1")
    if page.evaluate("document.querySelector('tr.finding .toggle').getAttribute('aria-expanded')") == "false":
        page.click("tr.finding .toggle")
    here = text(page, "tr.detail .innermost .row.here")
    expect("uv_tcp_init" in here or "uv_timer_init" in here, here)
    left = sum(r["count"] for r in records if r["check"] == "unclosed-handle"
               and any(s["frames"] and s["frames"][-1]["function"] == "open_sockets" for s in r["stacks"]))
    expect(text(page, "tr.finding .c-count").strip() == "%d\u00d7" % left, text(page, "tr.finding .c-count"))
    page.evaluate("[...document.querySelectorAll('#flame-tabs button')].at(-1).click()")
    expect(page.evaluate("[...document.querySelectorAll('#flame-canvas .frame')].some((b) => b.textContent.startsWith('open_'))"), "leaks by place")
    clean(page)
    page.close()


def hang(browser, scratch):
    """A hang that is told three times is one hang, of its last duration, in one bar of the timeline."""
    page = browser.open(report(scratch, os.path.join(scratch, "nested.jsonl"), "nested.html"))
    sums = page.evaluate("Object.fromEntries([...document.querySelectorAll('.verdict')].map((n) => "
                         "[n.querySelector('.slug').textContent, n.querySelector('.sum').textContent]))")
    expect(sums["loop-hang"].startswith("1 time in 1 place, 20.0 s"), sums)
    expect(text(page, "#flame-canvas .shaderoot") == "all, 22.0 s", text(page, "#flame-canvas .shaderoot"))
    expect("3 items" in page.evaluate("document.querySelector('#timeline-canvas').getAttribute('aria-label')"), "three bars")
    clean(page)
    page.close()


def text_log(browser, scratch, build, program):
    """The shim's text form: the same checks and places, their stacks and sources."""
    log = os.path.join(scratch, "workshop.txt")
    logs.run(build, program, log, "30", AIODEBUG_FORMAT="text", AIODEBUG_LEVEL="WARNING")
    with open(log, encoding="utf-8") as file:
        slugs = set(re.findall(r"^\S+ workshop\[\d+\] .*\[([a-z-]+)\]$", file.read(), re.M))
    page = browser.open(report(scratch, log, "text.html"))
    shown = page.evaluate("[...document.querySelectorAll('.verdict .slug')].map((n) => n.textContent)")
    expect(set(shown) == slugs and "callback-exception" in slugs, "%s, but the log has %s" % (shown, slugs))
    expect("check_stock()" in text(page, "#verdicts") and number(page, ".detail .code .row.here") >= 1, "places and sources")
    expect(number(page, ".detail .variant") == 0, "one place has one set of stacks")
    clean(page)
    page.close()


def many_threads(browser, scratch, records):
    """Many processes: the busiest are drawn, the others when asked for."""
    log = os.path.join(scratch, "threads.jsonl")
    logs.write(log, [{**r, "pid": 1000 + i % 60, "tid": 1000 + i % 60} for i, r in enumerate(records)])
    page = browser.open(report(scratch, log, "threads.html"))
    height = "document.querySelector('#timeline-canvas').clientHeight"
    before = page.evaluate(height)
    expect("12 more threads with less to show are left out" in text(page, "#timeline-about"), text(page, "#timeline-about"))
    page.click("#timeline-lanes")
    expect(page.evaluate(height) > 3 * before, "all are drawn")
    page.click("#timeline-lanes")
    expect(page.evaluate(height) == before, "the busiest again")
    clean(page)
    page.close()


def painted(browser, url):
    """The timeline's canvas holds more than its background, and another picture after zooming."""
    page = browser.open(url)
    colours = ("new Set(new Uint32Array(document.querySelector('#timeline-canvas').getContext('2d')"
               ".getImageData(0, 0, document.querySelector('#timeline-canvas').width, "
               "document.querySelector('#timeline-canvas').height).data.buffer)).size")
    expect(page.evaluate(colours) > 6, "colours")
    picture = "document.querySelector('#timeline-canvas').toDataURL()"
    before = page.evaluate(picture)
    page.click("#timeline-in")
    page.click("#timeline-in")
    expect(page.evaluate(picture) != before, "zooming changes the picture")
    page.click("#timeline-right")
    page.click("#timeline-all")
    expect(page.evaluate(picture) == before, "the whole log again")
    clean(page)
    page.close()


def expect_found(page, word):
    """Those rows are left that have the word, all of them: a busy machine makes other callbacks slow too, so how many is
    not known before. The table follows the typing after a moment."""
    data = page.evaluate("JSON.parse(document.querySelector('#data').textContent)")
    may, must = set(), set()
    for n, group in enumerate(data["groups"]):
        frames = [data["frames"][f] for t in group.get("traces", ()) for s in t["stacks"] for f in s["frames"]]
        if word in json.dumps([group, frames]):
            may.add(n)
        if word in group["place"]:
            must.add(n)
    expect(must and len(may) < len(data["groups"]), "the word does not tell rows apart")
    end = time.monotonic() + 10
    while True:
        shown = set(page.evaluate("[...document.querySelectorAll('tr.finding .toggle')].map((n) => Number(n.id.slice(8)))"))
        if must <= shown <= may:
            return
        expect(time.monotonic() < end, "%s are shown, not %s" % (sorted(shown), sorted(must)))
        page.browser.settle(0.05)


def filters(browser, url):
    """The table of findings: search, families, order, opening a row; links from the verdicts lead there."""
    page = browser.open(url)
    rows = number(page, "tr.finding")
    page.click("#findings-search")
    page.type("audit")
    expect_found(page, "audit")
    page.click("#findings-clear")
    page.until("document.querySelectorAll('tr.finding').length === %d" % rows)
    page.click("#findings-chips button[value=time]")
    families = page.evaluate("[...document.querySelectorAll('tr.finding .slug')].map((n) => n.textContent)")
    expect("slow-callback" in families and set(families) <= {"slow-callback", "slow-iteration", "blocking-call", "loop-hang"}, families)
    page.click("#findings-chips button[value=left]")
    left = page.evaluate("[...document.querySelectorAll('tr.finding .slug')].map((n) => n.textContent)")
    expect(set(left) >= {"task-destroyed-pending", "coroutine-never-awaited"} and "slow-callback" not in left, left)
    page.click("#findings-clear")
    page.evaluate("(() => { const s = document.querySelector('#findings-sort'); s.value = 'longest'; "
                  "s.dispatchEvent(new Event('change')); })()")
    longest = page.evaluate("(() => { const all = JSON.parse(document.querySelector('#data').textContent).groups.map((g) => "
                            "(g.stats ? g.stats.max : -1)); return all.indexOf(Math.max(...all)); })()")
    first = page.evaluate("document.querySelector('tr.finding .toggle').id")
    expect(first == "finding-%d" % longest, "%s first, but %d is the longest" % (first, longest))
    page.evaluate("(() => { const b = document.querySelector('tr.finding .toggle'); "
                  "if (b.getAttribute('aria-expanded') === 'true') b.click(); })()")
    page.click("tr.finding .toggle")
    open_ = page.evaluate("document.querySelector('tr.finding .toggle').getAttribute('aria-expanded')")
    expect(open_ == "true" and number(page, "tr.finding + tr.detail") >= 1, "a row opens")
    page.click("tr.finding .toggle")
    expect(page.evaluate("document.querySelector('tr.finding .toggle').getAttribute('aria-expanded')") == "false", "closes")
    page.click(".verdict .places a")
    expect(page.evaluate("document.activeElement.id.startsWith('finding-') && "
                         "document.activeElement.getAttribute('aria-expanded') === 'true'"), "a verdict leads to its finding")
    page.evaluate("document.querySelector('#findings-search').value = ''")
    clean(page)
    page.close()


def flame(browser, url):
    """Search, zoom with the mouse, tabs; widths add up."""
    page = browser.open(url)
    total = text(page, "#flame-canvas .shaderoot")
    expect(total.startswith("all, "), total)
    page.click("#flame-search")
    page.type("refresh")
    page.until("document.querySelectorAll('#flame-canvas .match').length >= 1")
    status = text(page, "#flame-status")
    expect(re.search(r"1 frame matches, \d+(\.\d)? % of all", status), status)
    # What matches is as wide as the share that is said.
    share = page.evaluate("document.querySelector('#flame-canvas .match').offsetWidth / document.querySelector('#flame-canvas').clientWidth")
    said = float(re.search(r"([\d.]+) %", status)[1]) / 100
    expect(abs(share - said) < 0.02, "%f wide, %f said" % (share, said))
    page.evaluate("(() => { const s = document.querySelector('#flame-search'); s.value = 'nothing has this name'; "
                  "s.dispatchEvent(new Event('input')); })()")
    page.until("document.querySelector('#flame-status').textContent.includes('No frame matches')")
    page.evaluate("(() => { const s = document.querySelector('#flame-search'); s.value = ''; s.dispatchEvent(new Event('input')); })()")
    page.until("!document.querySelector('#flame-canvas').classList.contains('searching')")
    find = "[...document.querySelectorAll('#flame-canvas .frame')].find((b) => b.textContent.startsWith('refresh_prices'))"
    before = page.evaluate("%s.offsetWidth" % find)
    box = page.evaluate("(() => { const n = %s; n.scrollIntoView({block: 'center', behavior: 'instant'}); "
                        "const b = n.getBoundingClientRect(); return [b.x + b.width / 2, b.y + 8]; })()" % find)
    page.click_at(*box)
    expect(page.evaluate("%s.offsetWidth" % find) > 2 * before, "a click zooms")
    expect("Zoomed to refresh_prices" in text(page, "#flame-status"), text(page, "#flame-status"))
    page.click("#flame-reset")
    expect(page.evaluate("%s.offsetWidth" % find) == before, "reset")
    for i in range(number(page, "#flame-tabs button")):
        page.click("#flame-tabs button:nth-child(%d)" % (i + 1))
        expect(number(page, "#flame-canvas .frame") > 2, "tab %d" % i)
    clean(page)
    page.close()


# ---------------------------------------------------------------------------------------------------- keyboard

def keyboard(browser, url):
    """All of it without a mouse."""
    page = browser.open(url)
    active = "document.activeElement.textContent"
    page.key("Tab")
    expect(page.evaluate(active) == "Skip to the verdicts", page.evaluate(active))
    expect(page.evaluate("document.activeElement.getBoundingClientRect().top >= 0"), "the skip link is seen")
    page.key("Tab", 2)
    page.key("Enter")
    page.until("document.activeElement.id === 'flame'")
    page.browser.settle(0.5)  # the browser goes to a link's target once more when it has drawn it
    page.key("5")
    page.until("document.activeElement.id === 'findings'")
    page.key("/")
    page.until("document.activeElement.id === 'findings-search'")
    page.type("hurry")
    expect_found(page, "hurry")
    page.key("Escape")
    expect(page.evaluate("document.activeElement === document.body"), "Escape leaves the field")
    page.key("d")
    expect(page.evaluate("document.documentElement.dataset.theme") == "dark", "d switches the theme")
    page.key("d")
    page.key("?")
    page.until("document.querySelector('#help').open")
    expect("flame" in text(page, "#help").lower(), "the keys are told")
    page.key("Escape")
    page.until("!document.querySelector('#help').open")

    # The flame graph: one stop of Tab, arrows inside.
    page.key("s")
    page.until("document.activeElement.id === 'flame-search'")
    page.key("Tab")  # the reset button is disabled
    page.until("document.activeElement.getAttribute('role') === 'treeitem'")
    page.key("ArrowDown", 2)
    level = page.evaluate("document.activeElement.getAttribute('aria-level')")
    expect(level == "3", level)
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.key("Enter")
    expect("Zoomed to" in text(page, "#flame-status"), name)
    expect(page.evaluate("document.activeElement.getAttribute('aria-label')").split(":")[0] == name.split(":")[0], "the focus stays")
    page.key("Backspace")
    page.key("Escape")
    expect("Zoomed to" not in text(page, "#flame-status"), "Escape resets")
    page.key("Tab")
    expect(page.evaluate("document.activeElement.getAttribute('role') !== 'treeitem'"), "one stop of Tab")

    # The timeline.
    page.evaluate("document.querySelector('#timeline-canvas').focus()")
    page.key("n")
    first = text(page, "#timeline-chosen")
    page.key("n")
    expect(text(page, "#timeline-chosen") != first and "after the first record" in first, first)
    page.key("p")
    expect(text(page, "#timeline-chosen") == first, "p goes back")
    page.key("+", 2)
    page.until("!document.querySelector('#timeline-all').disabled")
    page.key("ArrowRight")
    page.key("0")
    page.until("document.querySelector('#timeline-all').disabled")
    page.key("Enter")
    page.until("document.activeElement.id.startsWith('finding-')")
    page.key("Enter")  # the row closes again
    page.until("document.activeElement.getAttribute('aria-expanded') === 'false'")

    # Keys can be switched off (and then single letters do nothing).
    page.key("?")
    page.until("document.querySelector('#help').open")
    page.click("#single-keys")
    page.key("Escape")
    page.until("!document.querySelector('#help').open")
    page.key("d")
    expect(page.evaluate("document.documentElement.dataset.theme") != "dark", "keys are off")
    page.evaluate("localStorage.clear()")
    clean(page)
    page.close()


def accessible(browser, url):
    """What a screen reader is told: everything that can be used has a name, tables and graphs have roles."""
    page = browser.open(url)
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = {}
    for node in nodes:
        if node.get("ignored"):
            continue
        role = node.get("role", {}).get("value")
        name = node.get("name", {}).get("value", "").strip()
        roles.setdefault(role, []).append(name)
        if role in ("button", "link", "treeitem", "searchbox", "combobox", "checkbox", "application", "img", "tree", "dialog"):
            expect(name, "a %s without a name" % role)
    expect({"banner", "navigation", "main", "heading", "table", "tree", "treeitem", "application"} <= set(roles), sorted(map(str, roles)))
    expect(len(set(page.evaluate("[...document.querySelectorAll('[id]')].map((n) => n.id)"))) == number(page, "[id]"), "ids are unique")
    broken = page.evaluate("[...document.querySelectorAll('[aria-labelledby],[aria-describedby],[aria-controls]')].flatMap((n) => "
                           "['aria-labelledby', 'aria-describedby'].flatMap((a) => (n.getAttribute(a) || '').split(/\\s+/).filter(Boolean)))"
                           ".filter((id) => !document.getElementById(id))")
    expect(not broken, broken)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((n) => Number(n.tagName[1]))")
    expect(levels[0] == 1 and levels.count(1) == 1, levels)
    clean(page)
    page.close()


# -------------------------------------------------------------------------------------------------- appearance

CONTRAST = """(() => {
  const probe = document.createElement('span');
  document.body.append(probe);
  const rgb = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number); };
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ratio = (a, b) => { const [x, y] = [light(rgb(a)), light(rgb(b))].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const pairs = [];
  const families = ['time', 'wait', 'task', 'handle', 'thread', 'crash', 'other'];
  for (const ground of ['--page', '--card', '--soft'])
    for (const ink of ['text', 'muted', 'accent', 'warning', 'error', ...families])
      pairs.push([`--${ink}`, ground]);
  for (let i = 1; i <= 6; i++) pairs.push(['--flame-text', `--flame-${i}`], ['--flame-text', `--leaf-${i}`]);
  pairs.push(['--on-accent', '--accent'], ['--accent', '--accent-soft'], ['--text', '--accent-soft'], ['--page', '--text']);
  const result = pairs.map(([a, b]) => [a, b, ratio(a, b)]);
  probe.remove();
  return result;
})()"""


def contrast(browser, url):
    """Every colour of text on every ground it is used on: 4.5 or more, in both themes; families can be told apart."""
    for dark in (False, True):
        page = browser.open(url, dark=dark)
        low = [p for p in page.evaluate(CONTRAST) if p[2] < 4.5]
        expect(not low, "%s: %s" % ("dark" if dark else "light", low))
        page.close()


def themes(browser, url):
    """Follows the system, until the switch says otherwise."""
    ground = "getComputedStyle(document.body).backgroundColor"
    page = browser.open(url, dark=False)
    light = page.evaluate(ground)
    page.dark(True)
    dark = page.evaluate(ground)
    expect(light != dark, "follows the system")
    page.click("#theme")
    expect(page.evaluate(ground) == light, "the switch overrides it")
    page.call("Page.reload")
    page.until("document.documentElement?.dataset.ready === 'true'")
    expect(page.evaluate(ground) == light, "and is remembered")
    page.evaluate("localStorage.clear()")
    clean(page, 2)
    page.close()


def widths(browser, url):
    """Nothing sticks out sideways, from a phone to a wide screen."""
    for width in (360, 600, 820, 1280, 1920):
        page = browser.open(url, width=width)
        out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        expect(out <= 0, "%d px wide: %d px too wide" % (width, out))
        clean(page)
        page.close()


def printing(browser, url):
    """On paper: light, without controls, several pages."""
    page = browser.open(url, dark=True)
    pdf = base64.b64decode(page.call("Page.printToPDF", {"printBackground": True})["data"])
    expect(pdf.startswith(b"%PDF") and len(pdf) > 20000, len(pdf))
    page.call("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = page.evaluate("['.top', '.controls', '.skips'].every((s) => getComputedStyle(document.querySelector(s)).display === 'none')")
    expect(hidden, "controls are not printed")
    clean(page)
    page.close()


# -------------------------------------------------------------------------------------------------- hostile logs

def hostile(browser, scratch, records):
    """A log with markup and code in every string: nothing runs, nothing is loaded, all of it is text."""
    name = "<script>window.pwned=9<" + "%2fscript>&\"'.jsonl"
    log = os.path.join(scratch, name)
    logs.write(log, logs.hostile_records(records))
    url = report(scratch, log, "hostile.html", "--title", logs.HOSTILE.replace("\0", "").replace("\ud83d", ""))
    page = browser.open(url)
    page.browser.settle(0.2)
    for number_ in range(min(30, number(page, "tr.finding .toggle"))):  # open what can be opened
        page.evaluate("(() => { const b = document.querySelectorAll('tr.finding .toggle')[%d]; "
                      "if (b.getAttribute('aria-expanded') === 'false') b.click(); })()" % number_)
    for i in range(number(page, "#flame-tabs button")):
        page.click("#flame-tabs button:nth-child(%d)" % (i + 1))
    page.evaluate("document.querySelector('#timeline-canvas').focus()")
    page.key("n", 8)
    page.evaluate("document.querySelectorAll('tr.finding .place, #flame-canvas .frame').forEach((n) => "
                  "n.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 5, clientY: 5})))")
    expect(page.evaluate("window.pwned") is None, "window.pwned is %s" % page.evaluate("window.pwned"))
    expect(number(page, "script") == 2, "%d scripts" % number(page, "script"))
    expect(number(page, "img, iframe, object, embed, link, base, foreignObject, style:not(head style)") == 0, "elements of the log")
    expect(page.evaluate("[...document.querySelectorAll('*')].every((n) => [...n.attributes].every((a) => !a.name.startsWith('on')))"), "handlers")
    links = page.evaluate("[...document.querySelectorAll('a')].map((n) => n.getAttribute('href'))")
    expect(all(re.match(r"^#[a-z]+$", link) for link in links), links)
    expect(page.evaluate("document.querySelectorAll('h1')[0].textContent.includes('<img src=x')"), "it is shown as text")
    expect(page.evaluate("document.body.innerText.split('window.pwned=1').length") > 20, "all over the page")
    expect(page.evaluate("Object.getPrototypeOf({}) === Object.prototype && ({}).records === undefined"), "prototypes")
    clean(page)
    page.close()


def policy(browser, url):
    """The policy holds by itself: what would get into the page could still neither run nor load."""
    page = browser.open(url)
    page.evaluate("window.refused = []; document.addEventListener('securitypolicyviolation', (e) => refused.push(e.effectiveDirective))")
    page.evaluate("(() => { const s = document.createElement('script'); s.textContent = 'window.pwned = 1'; document.body.append(s); })()")
    page.evaluate("(() => { const s = document.createElement('img'); s.src = 'http://127.0.0.1:9/x.png'; document.body.append(s); })()")
    page.evaluate("(() => { const s = document.createElement('div'); s.innerHTML = '<b onclick=\"window.pwned=2\">x</b>'; document.body.append(s); s.firstChild.click(); })()")
    page.evaluate("fetch('http://127.0.0.1:9/').catch(() => 0)")
    page.until("refused.length >= 4")
    refused = page.evaluate("refused")
    expect({"script-src-elem", "img-src", "script-src-attr", "connect-src"} <= set(refused), refused)
    expect(page.evaluate("window.pwned") is None, "it ran")
    page.close()


# ------------------------------------------------------------------------------------------------------- sizes

def empty(browser, scratch):
    """An empty log, and one with nothing wrong."""
    log = os.path.join(scratch, "empty.jsonl")
    with open(log, "w", encoding="utf-8"):
        pass
    page = browser.open(report(scratch, log, "empty.html"))
    expect("no records" in text(page, "#verdicts"), text(page, "#verdicts"))
    clean(page)
    page.close()


def damaged(browser, scratch, log):
    """Half of a log, with garbage in it: what is whole is drawn, what is not is told on the page."""
    with open(log, "rb") as file:
        data = file.read()
    broken = os.path.join(scratch, "broken.jsonl")
    with open(broken, "wb") as file:
        file.write(data[:len(data) // 3] + b"\n\xff\xfe\x00garbage\n{\"x\":1}\n" + data[:len(data) // 2])
    page = browser.open(report(scratch, broken, "broken.html"))
    expect(number(page, ".verdict") >= 2, "verdicts")
    expect("What could not be read" in text(page, "#log"), text(page, "#log"))
    clean(page)
    page.close()


def odd_values(browser, scratch, records):
    """Records without times, stacks, threads, with numbers out of any range: the page is drawn all the same."""
    odd = []
    for i, record in enumerate(records):
        r = dict(record)
        wrong = [("time", None), ("time", "1970-01-01T00:00:00.000000Z"), ("time", "9999-12-31T23:59:59.999999Z"), ("seconds", -1),
                 ("seconds", 1e200), ("seconds", 0), ("seconds", "x"), ("count", 0), ("count", 1 << 62), ("count", -5), ("stacks", None),
                 ("stacks", [{"role": "created", "frames": [{}]}]), ("stacks", [{"role": None, "frames": [None, 1]}]), ("tid", None), ("pid", -1),
                 ("program", None), ("check", None), ("level", "LOUD"), ("object", []), ("context", [1]), ("errors", {}), ("threshold", 1e308)]
        name, value = wrong[i % len(wrong)]
        r[name] = value
        odd.append(r)
    log = os.path.join(scratch, "odd.jsonl")
    logs.write(log, odd)
    page = browser.open(report(scratch, log, "odd.html"))
    expect(number(page, "tr.finding") > 3, "findings")
    page.evaluate("document.querySelector('#timeline-canvas').focus()")
    page.key("n", 3)
    page.key("+", 40)
    shown = page.evaluate("document.body.innerText")
    expect("NaN" not in shown and "undefined" not in shown and "Invalid Date" not in shown, "numbers that are none")
    clean(page)
    page.close()
    for form in ("collapsed", "speedscope", "chrome", "pprof"):
        aiodebug("export", "--format", form, log, "-o", os.path.join(scratch, "odd." + form))


def large(browser, scratch, records, how_many=100000):
    """100 000 records: the page stays small, opens soon, and answers."""
    log = os.path.join(scratch, "large.jsonl")
    logs.many(log, records, how_many)
    start = time.monotonic()
    url = report(scratch, log, "large.html")
    took = time.monotonic() - start
    size = os.path.getsize(url[7:])
    start = time.monotonic()
    page = browser.open(url)
    opened = time.monotonic() - start
    nodes = number(page, "*")
    expect(size < 6e6, "%d bytes" % size)
    expect(nodes < 12000, "%d elements" % nodes)
    expect("100" in text(page, "#subtitle"), text(page, "#subtitle"))
    start = time.monotonic()
    page.click("#timeline-in")
    page.click("#timeline-next")
    drawn = time.monotonic() - start
    clean(page)
    page.close()
    os.unlink(log)
    print("  PAGE    %d records: drawn in %.1f s, %.1f MB, opened in %.1f s, %d elements, a zoom and a step %.2f s"
          % (how_many, took, size / 1e6, opened, nodes, drawn))


def alike(a, b):
    """Equal, but for what is added up in another order, or reaches back to long before the part of the log."""
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-2 * max(abs(a), abs(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    return a == b


def differences(a, b, where):
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for key in a:
            yield from differences(a[key], b[key], "%s.%s" % (where, key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, "%s[%d]" % (where, i))
    elif not alike(a, b):
        yield "%s: %r, %r" % (where, a, b)


def in_parts(scratch, records):
    """What several processes make of a log in parts is what one makes of the whole; but at the seam a record may
    reach back to what the second process has not seen, which once in some fifty logs shows in one figure."""
    log = os.path.join(scratch, "parts.jsonl")
    logs.many(log, records, 45000, seed=3)  # two pieces
    found = []
    for processors in (set(list(os.sched_getaffinity(0))[:1]), os.sched_getaffinity(0)):
        path = os.path.join(scratch, "parts.html")
        aiodebug("report", log, "-o", path, preexec_fn=lambda: os.sched_setaffinity(0, processors))  # noqa: B023
        with open(path, encoding="utf-8") as file:
            data = file.read().split('id="data">')[1].split("</script>")[0]
        data = json.loads(data)
        data.pop("generated")
        found.append(data)
    repeats = sum(" repeated " in r["message"] for r in records)
    expect(repeats > 3 and found[0]["records"] == 45000 + repeats, found[0]["records"])
    differs = list(differences(found[0], found[1], ""))
    if differs:
        print("  PARTS   differ: %s" % differs[:3])
    expect(len(differs) <= 2, "differ: %s" % differs[:5])
    os.unlink(log)


def many_places(browser, scratch, records):
    """Every record from a place of its own, with stacks as deep as they get: the page stays bounded, and says what it
    leaves out."""
    log = os.path.join(scratch, "places.jsonl")
    base = next(r for r in records if r["check"] == "task-destroyed-pending" and r["stacks"])
    frame = base["stacks"][0]["frames"][0]
    made = []
    for i in range(3200):
        frames = [dict(frame, function="f%d_%d" % (i, k), line=k + 1) for k in range(64 if i < 500 else 4)]
        made.append({**base, "stacks": [{"role": "created", "title": None, "frames": frames}]})
    logs.write(log, made)
    url = report(scratch, log, "places.html")
    expect(os.path.getsize(url[7:]) < 12e6, "%d bytes" % os.path.getsize(url[7:]))
    page = browser.open(url)
    expect("200 more places" in text(page, "#findings-status"), text(page, "#findings-status"))
    rows = number(page, "tr.finding")
    page.click("#findings-more")
    expect(number(page, "tr.finding") == rows + 40, "more rows")
    clean(page)
    page.close()
    os.unlink(log)


def options(browser, scratch, log):
    """--title, --no-source, --check; status and messages for what is wrong."""
    url = report(scratch, log, "options.html", "--title", "nightly", "--no-source", "--check", "slow-callback")
    page = browser.open(url)
    expect(text(page, "h1") == "nightly" and number(page, ".verdict") == 1, "options")
    expect(number(page, ".code .row") == 0, "no source")
    clean(page)
    page.close()
    done = aiodebug("report", "/nonexistent.jsonl", "-o", os.path.join(scratch, "no.html"), status=2)
    expect("/nonexistent.jsonl" in done.stderr and not os.path.exists(os.path.join(scratch, "no.html")), done.stderr)
    done = aiodebug("report", log, "-o", "/nonexistent/no.html", status=2)
    expect("/nonexistent" in done.stderr, done.stderr)
    done = aiodebug("report", log)
    expect(done.stdout.startswith("<!doctype html>") and done.stdout.rstrip().endswith("</html>"), "to standard output")


def secrets(scratch, records):
    """A log from elsewhere names files of this machine: none of their lines gets into the page."""
    secret = os.path.join(scratch, "elsewhere")
    os.makedirs(secret, exist_ok=True)
    files = {}
    for name in ("secret.c", "secret.txt", "secret"):
        files[name] = os.path.join(secret, name)
        with open(files[name], "w", encoding="utf-8") as file:
            file.write("first line\nTOP-SECRET-WORD %s\nlast line\n" % name)
    os.symlink(files["secret.txt"], os.path.join(secret, "link.c"))
    bad = []
    for path in [*files.values(), os.path.join(secret, "link.c"), secret, "/dev/zero", "/etc/passwd", "/proc/self/environ"]:
        for source in (None, "another line", ""):
            r = json.loads(json.dumps(next(r for r in records if r["stacks"])))
            for stack in r["stacks"]:
                for frame in stack["frames"]:
                    frame.update(file=path, line=1, source=source, function=os.path.basename(path) + str(source))
            bad.append(r)
    log = os.path.join(scratch, "names.jsonl")
    logs.write(log, bad)
    url = report(scratch, log, "names.html")
    with open(url[7:], encoding="utf-8") as file:
        page = file.read()
    expect("TOP-SECRET-WORD" not in page and "root:x:" not in page, "a line of a file got into the page")


def picture(browser, scratch, log, path):
    """The README's: the top of the page in light colours, 1280 wide, of a few kinds of mistakes."""
    url = report(scratch, log, "picture.html", "--title", "workshop, 60 orders", "--check",
                 "slow-callback,slow-poll,task-destroyed-pending,non-thread-safe-call,coroutine-never-awaited")
    page = browser.open(url, width=1280, height=1460)
    page.browser.settle(0.3)
    data = squeezed(page.screenshot())
    with open(path, "wb") as file:
        file.write(data)
    page.close()


def picture_is_there(_browser=None):
    """In the repository and in the README, and not too large."""
    expect(os.path.getsize(README_PICTURE) < 200000, "%d bytes" % os.path.getsize(README_PICTURE))
    with open(README_PICTURE, "rb") as file:
        head = file.read(24)
    expect(head[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(head[16:20], "big") == 1280, "1280 pixels wide")
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        expect("tests/scriptspage/report.png" in file.read(), "the README shows it")
