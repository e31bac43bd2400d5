"""The page shows where the object was found: a frame around it in the whole photo, and heat maps inside the frame."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from duet_core.runtime.finder import Box
from tests.app.web.browser import SIZES, Visit, visit, write_photo
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture, write_tiny_bundle
from tests.tiny_finder import add_finder, scene

pytestmark = pytest.mark.slow

WIDE, TALL = (400, 200), (200, 400)
PLACE = Box(left=0.7, top=0.25, right=0.9, bottom=0.75)


@pytest.fixture(scope="module")
def finding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("service")
    bundle = add_finder(write_tiny_bundle(folder / "tiny"))
    running = ServiceProcess(folder, bundle=bundle, store=f"sqlite:///{folder}/classes.sqlite")
    yield running.start()
    running.close()


@pytest.fixture(params=SIZES)
def tab(request: pytest.FixtureRequest, browser: Browser, finding: ServiceProcess) -> Iterator[Visit]:
    opened = visit(browser, finding.url, request.param)
    opened.open()
    yield opened
    opened.end()


def photo(folder: Path, size: tuple[int, int]) -> Path:
    buffer = io.BytesIO()
    scene(picture("red", "blue"), size, PLACE).save(buffer, "PNG")
    return write_photo(folder, f"{size[0]}.png", buffer.getvalue())


def shares(page: Page, name: str) -> list[float]:
    """Left, top, right, bottom of an element in 0…1 of the frame."""
    frame, inner = (page.locator(selector).bounding_box() for selector in ("#frame", name))
    assert frame is not None
    assert inner is not None
    left, top = (inner["x"] - frame["x"]) / frame["width"], (inner["y"] - frame["y"]) / frame["height"]
    return [left, top, left + inner["width"] / frame["width"], top + inner["height"] / frame["height"]]


@pytest.mark.parametrize(
    ("size", "expected"),
    [(WIDE, [0.7, 0.375, 0.9, 0.625]), (TALL, [0.6, 0.25, 0.7, 0.75])],
    ids=["wide", "tall"],
)
def test_the_frame_lies_around_the_bird(
    tab: Visit, tmp_path: Path, size: tuple[int, int], expected: list[float]
) -> None:
    page = tab.page
    page.locator("#file").set_input_files(photo(tmp_path, size))
    expect(page.locator("#found")).to_be_visible()
    assert shares(page, "#found") == pytest.approx(expected, abs=0.02)
    page.locator("#chips .chip").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#heat")).to_be_visible()
    assert shares(page, "#heat") == pytest.approx(expected, abs=0.02)
    tab.keep(f"found-{size[0]}")


def test_a_photo_that_is_refused_has_no_frame(tab: Visit, tmp_path: Path) -> None:
    page = tab.page
    page.locator("#file").set_input_files(photo(tmp_path, WIDE))
    expect(page.locator("#found")).to_be_visible()
    page.locator("#file").set_input_files(write_photo(tmp_path, "empty.png", b"no picture"))
    expect(page.locator("#photo-problem")).to_be_visible()
    expect(page.locator("#found")).to_be_hidden()
