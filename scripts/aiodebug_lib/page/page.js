// Puts the page together: theme, keys, the part about the log, printing.

// What the reader has set is remembered where the browser allows that for files.
const store = {
  get: (key) => { try { return localStorage.getItem(`aiodebug.${key}`); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(`aiodebug.${key}`, value); } catch { /* for this view only */ } },
};

const systemDark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : systemDark.matches);

function themeChanged() {
  $('theme').textContent = isDark() ? 'Light' : 'Dark';
  $('theme').setAttribute('aria-label', isDark() ? 'Switch to light colours' : 'Switch to dark colours');
  if ($('timeline-canvas')) timelineDraw(); // its colours are read when it is drawn
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  store.set('theme', theme);
  themeChanged();
}

function goTo(id) {
  const section = $(id);
  section.scrollIntoView({ block: 'start' });
  section.focus({ preventScroll: true });
}

const KEYS = [
  ['1 \u2026 6', 'go to Verdicts, Timeline, Durations, Flame graph, Findings, Log'],
  ['/', 'filter the findings'],
  ['s', 'search the flame graph'],
  ['d', 'dark or light'],
  ['?', 'this list'],
];
const KEYS_TIMELINE = [['\u2190 \u2192', 'earlier, later'], ['\u2191 \u2193 + -', 'zoom in, out'], ['0', 'the whole log'], ['n p', 'next and previous item'], ['Enter', 'open its finding']];
const KEYS_FLAME = [['arrows', 'from frame to frame'], ['Enter', 'zoom to the frame'], ['Backspace', 'zoom out by one'], ['Esc', 'the whole graph']];

function drawHelp() {
  const list = (title, keys) => [el('h3', { text: title }), el('dl', { class: 'keys' }, keys.map(([key, what]) => el('div', {}, el('dt', {}, key.split(' ').map((k) => el('kbd', { text: k }))), el('dd', { text: what }))))];
  const single = el('input', { type: 'checkbox', id: 'single-keys', on: { change: (event) => store.set('keys', event.target.checked ? 'on' : 'off') } });
  single.checked = store.get('keys') !== 'off';
  $('help-body').append(...list('Everywhere', KEYS), ...list('In the timeline, when it has the focus', KEYS_TIMELINE), ...list('In the flame graph, when it has the focus', KEYS_FLAME),
    el('label', { class: 'choice' }, single, ' Single keys work everywhere'));
}

function pageKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  const target = event.target;
  if (target.matches('input:not([type=checkbox]), select, textarea')) {
    if (event.key === 'Escape') target.blur();
    return;
  }
  if (!$('single-keys').checked) return;
  const sections = ['verdicts', 'timeline', 'durations', 'flame', 'findings', 'log'];
  const focus = (id) => { const node = $(id); if (node) { node.scrollIntoView({ block: 'center' }); node.focus({ preventScroll: true }); node.select(); } };
  const actions = { '/': () => focus('findings-search'), s: () => focus('flame-search'), d: () => setTheme(isDark() ? 'light' : 'dark'), '?': () => $('help').showModal() };
  const action = actions[event.key] || (/^[1-6]$/.test(event.key) ? () => goTo(sections[event.key - 1]) : null);
  if (action) {
    event.preventDefault();
    action();
  }
}

function drawLog() {
  const body = $('log-body');
  const facts = [
    ['Read', data.logs.join(', ') + (data.log_count > data.logs.length ? ` and ${data.log_count - data.logs.length} more` : '')],
    ['Records', count(data.records)],
    ['Drawn', data.generated.replace('T', ' ').replace('Z', ' UTC')],
  ];
  add(body, el('dl', { class: 'facts' }, facts.map(([k, v]) => el('div', {}, el('dt', { text: k }), el('dd', { text: v })))));
  if (data.damage.length) {
    add(body, el('h3', { text: 'What could not be read' }), el('ul', { class: 'plain' }, data.damage.map((line) => el('li', { text: line }))));
  }
  if (data.processes.length) {
    const logs = data.processes.some((p) => p.log !== null);
    const most = 100;
    add(body, el('div', { class: 'card table-box' }, el('table', { class: 'table processes' },
      el('caption', { class: 'unseen', text: 'Processes' }),
      el('thead', {}, el('tr', {}, ['Program', 'Process', 'First', 'Last', 'Records', ...(logs ? ['Log'] : [])].map((h) => el('th', { scope: 'col', text: h })))),
      el('tbody', {}, data.processes.slice(0, most).map((p) => el('tr', {},
        el('td', { text: p.program }), el('td', { text: p.pid ?? '?' }), el('td', { text: p.first === null ? '' : moment(p.first) }),
        el('td', { text: p.last === null ? '' : clock(p.last, 3) }), el('td', { text: count(p.records) }), logs ? el('td', { text: p.log || '' }) : null))))));
    if (data.process_count > most) add(body, el('p', { class: 'muted small', text: `${count(data.process_count - most)} more processes are not listed.` }));
  }
}

function watchSections() {
  const links = new Map([...document.querySelectorAll('#sections a')].map((a) => [a.hash.slice(1), a]));
  const seen = new Map();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) seen.set(entry.target.id, entry.isIntersecting);
    let current = null;
    for (const id of links.keys()) if (seen.get(id)) { current = id; break; }
    for (const [id, link] of links) {
      if (id === current) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
  }, { rootMargin: '-70px 0px -55% 0px' });
  for (const id of links.keys()) observer.observe($(id));
}

function main() {
  const saved = store.get('theme');
  if (saved === 'dark' || saved === 'light') document.documentElement.dataset.theme = saved;
  systemDark.addEventListener('change', themeChanged);
  $('theme').addEventListener('click', () => setTheme(isDark() ? 'light' : 'dark'));
  $('help-open').addEventListener('click', () => $('help').showModal());
  drawHelp();
  drawHeadline();
  drawVerdicts();
  drawTimeline();
  drawDurations();
  drawFlame();
  drawFindings();
  drawLog();
  $('footer').textContent = 'Made by aiodebug report. Times are UTC. This page is one file; it loads nothing and sends nothing.';
  themeChanged();
  watchSections();
  document.addEventListener('keydown', pageKey);
  document.addEventListener('scroll', hideTip, { passive: true });
  // On paper: light, and the canvas as wide as the sheet.
  let before = null;
  addEventListener('beforeprint', () => { before = document.documentElement.dataset.theme || null; document.documentElement.dataset.theme = 'light'; themeChanged(); });
  addEventListener('afterprint', () => { if (before) document.documentElement.dataset.theme = before; else delete document.documentElement.dataset.theme; themeChanged(); });
  document.documentElement.dataset.ready = 'true';
}

main();
