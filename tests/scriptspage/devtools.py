# SPDX-License-Identifier: MIT
"""Chromium without a window, spoken to through its DevTools protocol over a pipe (--remote-debugging-pipe: JSON
messages that end in a zero byte, so no port and no WebSocket are needed).

    with Browser(binary) as browser:
        page = browser.open("file:///.../report.html", width=1280)
        page.evaluate("document.title")

What the page says on its console, throws, is refused by its policy, or asks the network for, is kept in page.troubles
and page.requests.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

KEYS = {"Enter": 13, "Tab": 9, "Escape": 27, "Backspace": 8, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
        "ArrowDown": 40, "Home": 36, "End": 35, " ": 32}


class Gone(Exception):
    """The browser has died, or does not answer."""


class Browser:
    def __init__(self, binary, arguments=()):
        self.binary, self.arguments = binary, arguments
        self.number = 0
        self.buffer = b""
        self.pages = {}

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="aiodebug-chromium-")
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # dup2 to 3 and 4 in the child; both ends must be out of the way first.
        theirs_in, theirs_out = moved(theirs_in), moved(theirs_out)
        self.log = tempfile.TemporaryFile()

        def child():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self.process = subprocess.Popen(
            [self.binary, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + self.profile, *self.arguments,
             "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=child,
            pass_fds=(3, 4, theirs_in, theirs_out))
        os.close(theirs_in)
        os.close(theirs_out)
        self.read_fd, self.write_fd = ours_in, ours_out
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close", wait=5)
        except (Gone, OSError):
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_fd)
        os.close(self.write_fd)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, parameters=None, session=None, wait=60):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        self.send(json.dumps(message).encode() + b"\0")
        end = time.monotonic() + wait
        while True:
            answer = self.receive(end)
            if answer is None:
                raise Gone("%s was not answered within %d s" % (method, wait))
            if answer.get("id") == number:
                if "error" in answer:
                    raise Gone("%s: %s" % (method, answer["error"].get("message")))
                return answer.get("result", {})

    def send(self, data):
        while data:
            data = data[os.write(self.write_fd, data):]

    def receive(self, end):
        """The next answer; events are given to their page. None: nothing came in time."""
        while True:
            at = self.buffer.find(b"\0")
            if at >= 0:
                message = json.loads(self.buffer[:at])
                self.buffer = self.buffer[at + 1:]
                if "method" in message:
                    page = self.pages.get(message.get("sessionId"))
                    if page:
                        page.event(message["method"], message.get("params", {}))
                    continue
                return message
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.read_fd], [], [], left)[0]:
                return None
            block = os.read(self.read_fd, 1 << 20)
            if not block:
                self.log.seek(0)
                raise Gone("the browser has ended: " + self.log.read()[-2000:].decode("utf-8", "replace"))
            self.buffer += block

    def settle(self, seconds):
        """Takes in what the pages tell for a while."""
        end = time.monotonic() + seconds
        while self.receive(end) is not None:
            pass

    def open(self, url, width=1280, height=900, dark=False, ready="document.documentElement?.dataset.ready === 'true'"):
        # A context of its own: nothing that another page has stored is there.
        context = self.call("Target.createBrowserContext", {"disposeOnDetach": True})["browserContextId"]
        target = self.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self.pages[session] = Page(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(domain + ".enable")
        page.size(width, height)
        page.dark(dark)
        page.requests.clear()
        page.call("Page.navigate", {"url": url})
        try:
            page.until(ready, 30)
        except AssertionError as error:
            raise AssertionError("%s; the page says: %s" % (error, page.troubles)) from None
        return page


def moved(fd):
    """The same file under a number above 9, not to be in the way of 3 and 4."""
    new = fcntl.fcntl(fd, fcntl.F_DUPFD, 10)
    os.close(fd)
    return new


class Page:
    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session
        self.troubles, self.requests = [], []

    def call(self, method, parameters=None, wait=60):
        return self.browser.call(method, parameters, self.session, wait)

    def close(self):
        self.browser.call("Target.closeTarget", {"targetId": self.target})
        self.browser.pages.pop(self.session, None)

    def event(self, method, parameters):
        if method == "Runtime.exceptionThrown":
            details = parameters.get("exceptionDetails", {})
            self.troubles.append("exception: %s" % details.get("exception", {}).get("description", details.get("text")))
        elif method == "Runtime.consoleAPICalled" and parameters.get("type") in ("error", "warning", "assert"):
            self.troubles.append("console: %s" % [a.get("value", a.get("description")) for a in parameters.get("args", [])])
        elif method == "Log.entryAdded" and parameters["entry"].get("level") in ("error", "warning"):
            self.troubles.append("log: %s" % parameters["entry"].get("text"))
        elif method == "Page.javascriptDialogOpening":
            self.troubles.append("dialog: %s" % parameters.get("message"))
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def evaluate(self, expression, wait=60):
        result = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True},
                           wait)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise AssertionError("%s: %s" % (expression, details.get("exception", {}).get("description", details.get("text"))))
        return result["result"].get("value")

    def until(self, expression, seconds=10):
        """Waits until the expression is true, and says whether it became so."""
        end = time.monotonic() + seconds
        while True:
            if self.evaluate("Boolean(%s)" % expression):
                return True
            if time.monotonic() > end:
                raise AssertionError("was not true within %d s: %s" % (seconds, expression))
            self.browser.settle(0.02)

    def size(self, width, height, scale=1):
        self.call("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False})

    def dark(self, on):
        # Without motion, so that what is clicked is where it was.
        self.call("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if on else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}]})

    def key(self, key, times=1):
        """Presses and releases a key, as a person does."""
        for _ in range(times):
            text = "\r" if key == "Enter" else key if len(key) == 1 else ""
            code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
            self.call("Input.dispatchKeyEvent", {"type": "keyDown" if text else "rawKeyDown", "key": key, "text": text,
                                                 "windowsVirtualKeyCode": code})
            self.call("Input.dispatchKeyEvent", {"type": "keyUp", "key": key, "windowsVirtualKeyCode": code})

    def type(self, text):
        for letter in text:
            self.key(letter)

    def click(self, selector):
        box = self.evaluate("(() => { const n = document.querySelector(%s); n.scrollIntoView({block: 'center', "
                            "behavior: 'instant'}); const b = n.getBoundingClientRect(); return [b.x + b.width / 2, "
                            "b.y + b.height / 2]; })()" % json.dumps(selector))
        self.click_at(*box)

    def click_at(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left",
                                                   "clickCount": 0 if kind == "mouseMoved" else 1})

    def screenshot(self, path=None, **parameters):
        data = base64.b64decode(self.call("Page.captureScreenshot", {"format": "png", **parameters})["data"])
        if path:
            with open(path, "wb") as file:
                file.write(data)
        return data
