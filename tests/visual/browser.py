"""A headless browser that a test can drive: pages opened, keys pressed, the mouse moved, pictures taken.

Speaks the DevTools protocol over a pair of pipes, so it needs nothing but a browser of the Chromium family.
"""

import base64
import fcntl
import io
import itertools
import json
import os
import shutil
import subprocess

import matplotlib.image

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "chrome-headless-shell")
BINARY = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",  # WebGL without a graphics card
)  # fmt: skip


class Browser:
    """One page of a browser of its own; close it, or use it in a `with`."""

    def __init__(self, folder, *flags):
        to_browser, from_browser = os.pipe(), os.pipe()
        reader, writer = (fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_browser[0], from_browser[1]))

        def wire():  # the protocol's pipes are the descriptors 3 and 4
            os.dup2(reader, 3)
            os.dup2(writer, 4)

        command = [BINARY, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder}", *flags]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, preexec_fn=wire, close_fds=False, **quiet)
        for fd in (to_browser[0], from_browser[1], reader, writer):
            os.close(fd)
        self.out, self.incoming = os.fdopen(to_browser[1], "wb"), os.fdopen(from_browser[0], "rb")
        self.numbers, self.session, self.events, self.read = itertools.count(1), None, [], b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.out.close()  # the browser ends with its pipe
        self.process.wait(30)
        self.incoming.close()

    def call(self, method, **params):
        """Send a command and return its result; what else arrives meanwhile is kept in `events`."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        self.out.write(json.dumps(message).encode() + b"\0")
        self.out.flush()
        while (answer := self.receive()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def receive(self):
        """The next message; they end in a zero byte."""
        while b"\0" not in self.read:
            more = self.incoming.read1(1 << 20)
            assert more, "the browser has gone"
            self.read += more
        text, self.read = self.read.split(b"\0", 1)
        return json.loads(text)

    def open(self, address, width=1280, height=900, touch=False, dark=False, calm=False):
        media = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if calm else "",
        }
        features = [{"name": name, "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.call("Page.navigate", url="about:blank")  # a new hash alone would not load the page anew
        self.call("Page.navigate", url=address)
        self.ask("new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))")
        self.settle()

    def ask(self, expression):
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def settle(self):
        """Wait until what was scheduled has been drawn."""
        self.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def drag(self, start, end):
        held = {"button": "left", "buttons": 1}
        self.mouse("Pressed", *start, clickCount=1, **held)
        self.mouse("Moved", *end, **held)
        self.mouse("Released", *end, clickCount=1, button="left")
        self.settle()

    def touch(self, kind, *fingers):
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(fingers)]
        self.call("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=points)

    def key(self, name, shift=False):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, modifiers=8 if shift else 0)
        self.settle()

    def box(self, selector, number=0):
        """Left, top, width and height of an element in the window."""
        found = f"document.querySelectorAll({json.dumps(selector)})[{number}].getBoundingClientRect()"
        return self.ask(f"(({{x, y, width, height}}) => [x, y, width, height])({found})")

    def texts(self, selector):
        return self.ask(f"Array.from(document.querySelectorAll({json.dumps(selector)}), (part) => part.textContent)")

    def picture(self, box=None):
        """RGB (H, W, 3) in [0, 1] of the window, or of a box in it."""
        clip = {"clip": dict(zip(("x", "y", "width", "height"), box, strict=True)) | {"scale": 1}} if box else {}
        data = base64.b64decode(self.call("Page.captureScreenshot", **clip)["data"])
        return matplotlib.image.imread(io.BytesIO(data))[..., :3]

    def complaints(self):
        """Errors of scripts, messages to the console, and requests beyond the page itself."""
        self.ask("0")
        bad = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [e for e in self.events if e.get("method") in bad] + [
            url for url in asked if not url.startswith("file:")
        ]
