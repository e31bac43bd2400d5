"""Every refusal as a message that helps, in a real Chromium at a real service: what to do, and what follows."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from duet_core.cli import main
from tests.app.web.browser import Visit, visit, write_photo
from tests.redis_process import RedisProcess
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture, picture_bytes

pytestmark = pytest.mark.slow

Start = Callable[..., ServiceProcess]


@pytest.fixture
def start(tiny_bundle: Path, tmp_path: Path) -> Iterator[Start]:
    """Start a service with these settings."""
    running = []

    def begin(**settings: Any) -> ServiceProcess:
        store = {"store": f"sqlite:///{tmp_path}/classes.sqlite"}
        running.append(ServiceProcess(tmp_path, bundle=tiny_bundle, **(store | settings)))
        return running[-1].start()

    yield begin
    for service in running:
        service.close()


def photo_file(folder: Path, crown: str = "red", kind: str = "PNG", side: int = 48) -> Path:
    """A photo of the tiny world."""
    return write_photo(folder, f"{crown}.{kind.lower()}", picture_bytes(crown, side=side, kind=kind))


def see(tab: Visit, told: str) -> None:
    """The photo's message says this."""
    expect(tab.page.locator("#photo-problem")).to_contain_text(told)


def test_photos_that_cannot_be_taken_as_they_are(browser: Browser, start: Start, tmp_path: Path) -> None:
    limits = {"max_bytes": 60_000, "max_json_bytes": 30_000, "max_pixels": 4_000_000}
    tab = visit(browser, start(**limits).url, "phone")
    tab.open()
    choose = tab.page.locator("#file").set_input_files
    big = io.BytesIO()
    Image.effect_noise((1200, 1200), 90).convert("RGB").save(big, "PNG")
    choose(write_photo(tmp_path, "big.png", big.getvalue()))
    see(tab, "This photo is too big")
    see(tab, "0.1 MB")
    tab.keep("e1-too-big")
    wide = io.BytesIO()
    picture("red", side=48).resize((2400, 2400)).save(wide, "PNG")
    choose(write_photo(tmp_path, "wide.png", wide.getvalue()))
    see(tab, "too many pixels")
    tab.page.get_by_role("button", name="Make it fit and try again").click()
    expect(tab.page.locator("#decision")).to_contain_text("Red")
    expect(tab.page.locator("#photo-problem")).to_be_hidden()
    choose(write_photo(tmp_path, "letter.txt", b"Dear reader"))
    see(tab, "This is not a photo we can read")
    tab.keep("e2-wrong-type")
    tab.page.get_by_role("button", name="Make it fit and try again").click()
    expect(tab.page.get_by_role("button", name="Make it fit and try again")).to_have_count(0)  # nobody can read it
    see(tab, "This is not a photo we can read")
    choose(photo_file(tmp_path, "green", "GIF"))
    see(tab, "This is not a photo we can read")
    tab.page.get_by_role("button", name="Make it fit and try again").click()
    expect(tab.page.locator("#decision")).to_contain_text("Green")
    choose(write_photo(tmp_path, "half.png", picture_bytes("red", side=300)[:400]))
    see(tab, "This file is damaged")
    tab.end()


def test_a_full_service_is_asked_again_when_there_is_room(browser: Browser, start: Start, tmp_path: Path) -> None:
    service = start(queue_images=1, max_batch=1)
    tab = visit(browser, service.url, "desk")
    tab.open()
    with closing(socket.create_connection(("127.0.0.1", service.port))) as slow:
        slow.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\nx")
        service.wait_for("/livez")
        tab.page.locator("#file").set_input_files(photo_file(tmp_path))
        see(tab, "Many photos at once just now")
        expect(tab.page.locator(".countdown")).to_contain_text("Trying again in")
        tab.keep("e3-full")
    expect(tab.page.locator("#decision")).to_contain_text("Red")  # without a click
    expect(tab.page.locator("#photo-problem")).to_be_hidden()
    tab.end()


def test_without_redis_photos_are_judged_and_changes_wait(
    browser: Browser, start: Start, own_redis: RedisProcess, tmp_path: Path
) -> None:
    tab = visit(browser, start(store=own_redis.url, poll_seconds=0.2).url, "desk")
    tab.open()
    page = tab.page
    own_redis.kill()
    page.wait_for_timeout(500)
    page.locator("#file").set_input_files(photo_file(tmp_path))
    expect(page.locator("#decision")).to_contain_text("Red")
    expect(page.locator("#banner")).to_contain_text("The store of classes has not answered for")
    page.locator("#tab-describe").click()
    page.locator("#name").fill("Blue Bird")
    page.locator("#sentence").fill("crown color: blue")
    page.wait_for_selector("#sliders .slide")
    page.locator("#save").click()
    expect(page.locator("#describe-problem")).to_contain_text("Nothing was changed, and nothing is lost.")
    tab.keep("e4-no-redis")
    own_redis.start()
    expect(page.locator("#banner")).to_be_hidden(timeout=15_000)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#moved")).to_contain_text("Blue Bird")
    tab.end()


def test_offline_keeps_what_is_there(browser: Browser, start: Start, tmp_path: Path) -> None:
    tab = visit(browser, start().url, "phone")
    tab.open()
    page = tab.page
    page.locator("#file").set_input_files(photo_file(tmp_path))
    expect(page.locator("#decision")).to_contain_text("Red")
    page.context.set_offline(True)
    page.locator("#candidates").select_option("seen")
    see(tab, "The service cannot be reached")
    expect(page.locator("#status")).to_have_text("offline")
    expect(page.locator("#decision")).to_contain_text("Red")
    tab.keep("e5-offline")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#photo-problem")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("ready")
    tab.end()


def test_a_key_is_asked_for_and_kept_in_the_tab_only(
    browser: Browser, start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.json"
    assert main(["keys", "make", "camera", "--scopes", "classify", "--file", str(file)]) == 0
    key = capsys.readouterr().out.strip()
    tab = visit(browser, start(api_keys=file).url, "phone")
    page = tab.page
    page.goto(tab.url)
    expect(page.locator("#key-dialog")).to_be_visible()
    expect(page.locator("#status")).to_have_text("key needed")
    tab.keep("e6-key")
    page.locator("#key").fill("duet_wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-words")).to_contain_text("mistyped or revoked")
    page.locator("#key").fill(key)
    page.keyboard.press("Enter")
    expect(page.locator("#key-dialog")).to_be_hidden()
    expect(page.locator("#facts > div")).to_have_count(3)
    expect(page.locator("#status")).to_contain_text("ready")
    page.locator("#file").set_input_files(photo_file(tmp_path))
    expect(page.locator("#decision")).to_contain_text("Red")
    page.locator("#tab-describe").click()
    page.locator("#sentence").fill("crown color: blue")
    expect(page.locator("#describe-problem")).to_contain_text("This key may not do that")
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
    tab.end()
