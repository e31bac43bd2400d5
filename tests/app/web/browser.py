"""A real Chromium at the page of a real service, and what every state of the page must hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.service_process import ROOT

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHOTS = ROOT / "build" / "page"
"""Where screenshots are kept, for people to look at."""
SIZES = {"phone": (390, 844), "desk": (1280, 800)}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium of this machine. Close it before other tests: it holds this thread's event loop."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.fail("the tests of the page need a real Chromium: run deploy/ensure-programs.sh")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox does not run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@dataclass
class Visit:
    """One tab at the page: it notes requests to other origins, errors of scripts and violations of the policy."""

    page: Page
    url: str
    size: str
    foreign: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._said)

    def _asked(self, request: Request) -> None:
        own = urlsplit(self.url).netloc
        if not request.url.startswith(("blob:", "data:")) and urlsplit(request.url).netloc != own:
            self.foreign.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        refused = "Failed to load resource" in message.text  # the status of an answer, which the page tells itself
        if message.type in ("error", "warning") and not refused:
            self.faults.append(message.text)

    def open(self) -> None:
        """Go to the page and wait until it has started."""
        self.page.goto(self.url)
        self.page.wait_for_selector("#facts > div:nth-child(3)")

    def keep(self, state: str) -> None:
        """Keep screenshots; a state has no axe violation, and nothing wider than the window."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        for scheme in ("dark", "light"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.page.screenshot(path=SHOTS / f"{self.size}-{state}-{scheme}.png")
            found = Axe().run(self.page).response["violations"]
            told = [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]
            assert told == [], f"{self.size}, {state}, {scheme}"
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{self.size}, {state}: {wide} px wider than the window"

    def end(self) -> None:
        """Nobody else was asked, and nothing went wrong unseen."""
        assert self.foreign == []
        assert self.faults == []
        self.page.context.close()


def visit(browser: Browser, url: str, size: str) -> Visit:
    """A fresh tab of one of SIZES, with nothing kept from before."""
    width, height = SIZES[size]
    small = size == "phone"
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=small, is_mobile=small, reduced_motion="reduce"
    )
    context.set_default_timeout(20_000)
    return Visit(context.new_page(), url, size)


def paths_asked(page: Page) -> list[str]:
    """Paths of everything the page has asked for since it was opened."""
    asked: list[str] = page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)")
    return asked


def write_photo(folder: Path, name: str, content: bytes) -> Path:
    """A file to choose."""
    path = folder / name
    path.write_bytes(content)
    return path
