"""The whole story in a real Chromium, at two sizes: a photo, the reasons, a sentence, the same photo ranked anew.

The real service on models/birds, with the pictures the page ships. Screenshots of every state stay in build/page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.web.gallery import SHIPPED, read_gallery
from tests.app.web.browser import SIZES, Visit, paths_asked, visit
from tests.service_process import ROOT, ServiceProcess

pytestmark = pytest.mark.slow

KINGFISHER, MACAW, PANDA = read_gallery(SHIPPED).pictures


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The service on the demo bundle."""
    folder = tmp_path_factory.mktemp("birds")
    running = ServiceProcess(folder, bundle=ROOT / "models/birds", store=f"sqlite:///{folder}/classes.sqlite")
    yield running.start()
    running.close()


@pytest.fixture(params=SIZES)
def tab(request: pytest.FixtureRequest, browser: Browser, birds: ServiceProcess) -> Iterator[Visit]:
    """A tab at the page, with no class registered."""
    for found in birds.client.get("/classes?seen=false").json()["classes"]:
        birds.client.delete(f"/classes/{found['id']}").raise_for_status()
    opened = visit(browser, birds.url, request.param)
    opened.open()
    yield opened
    opened.end()


def ranks(page: Page) -> list[str]:
    """Labels in the order shown."""
    return page.locator("#ranking b").all_inner_texts()


def pick(page: Page, label: str) -> None:
    """Take a picture of the gallery and wait for the reasons."""
    page.get_by_role("button", name=f"Try the picture “{label}”").click()
    expect(page.locator("#preview")).to_have_attribute("alt", f"The photo you chose: {label}")
    page.wait_for_selector("#why .reasons")


def test_a_sentence_teaches_the_page_a_bird(tab: Visit) -> None:
    page = tab.page
    expect(page.locator("#camera")).to_have_attribute("capture", "environment")
    expect(page.locator("label[for=camera]")).to_be_visible(visible=tab.size == "phone")
    tab.keep("1-empty")
    pick(page, KINGFISHER.label)
    before = ranks(page)
    assert before[0] != KINGFISHER.name
    expect(page.locator("#decision")).to_contain_text(before[0])
    tab.keep("2-answer")
    see_where(tab)
    page.get_by_role("button", name="Describe what it is").click()
    page.locator("#use-hint").click()
    page.wait_for_selector("#sliders .slide")
    expect(page.locator("#read-words")).to_contain_text("Understood")
    expect(page.locator("#sliders legend", has_text=re.compile("^crown color$"))).to_be_visible()
    tab.keep("4-describe")
    page.locator("#save").click()
    expect(page.locator("#moved")).to_have_text(f"{KINGFISHER.name} is now the answer for this photo.")
    after = ranks(page)
    assert after[:2] == [KINGFISHER.name, before[0]]
    expect(page.locator("#ranking li").first).to_contain_text("unseen")
    expect(page.locator("#ranking li").nth(1)).to_contain_text("seen")
    expect(page.locator("#why")).to_contain_text(f"Why not {before[0]}?")
    tab.keep("5-ranked-anew")
    ask_why_not(page, after)
    asked = paths_asked(page)
    assert {"/classify", "/explain", "/explain/map", "/classes"} <= set(asked)


def see_where(tab: Visit) -> None:
    """A chip marks the parts of the photo while it is focused, and stays when it is pressed."""
    page, chip = tab.page, tab.page.locator("#chips .chip").first
    chip.focus()
    page.keyboard.press("Enter")
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#caption")).to_contain_text("Bright and red")
    tab.keep("3-where")
    page.keyboard.press("Escape")
    expect(page.locator("#heat")).to_be_hidden()
    page.locator(".chip.more").click()
    assert page.locator("#chips .chip:not(.more)").count() == 28
    page.locator(".chip.more").click()
    if tab.size == "desk":
        page.locator("#why .reasons button").first.hover()
        expect(page.locator("#heat")).to_be_visible()
        page.mouse.move(0, 0)
        expect(page.locator("#heat")).to_be_hidden()


def ask_why_not(page: Page, order: list[str]) -> None:
    """Another class is compared when it is chosen, and what would change the answer is told."""
    page.locator("#ranking li").nth(2).get_by_role("button").click()
    expect(page.locator("#why")).to_contain_text(f"Why not {order[2]}?")
    assert page.locator("#why .sides li").count() >= 4
    expect(page.locator("#why h3")).to_contain_text(f"It would be {order[2]} if")
    expect(page.get_by_role("combobox", name="Compare with").last).to_have_value(order[2].lower().replace(" ", "-"))


@pytest.mark.parametrize("tab", ["phone"], indirect=True)
def test_the_tabs_do_not_cover_what_the_keyboard_reaches(tab: Visit) -> None:
    page = tab.page
    pick(page, KINGFISHER.label)
    page.locator("#tab-classes").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#search")).to_be_visible()
    page.keyboard.press("Tab")  # the panel, which is higher than the window
    page.keyboard.press("Tab")
    expect(page.locator("#search")).to_be_focused()
    middle = "e => { const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2] }"
    x, y = page.locator("#search").evaluate(middle)
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).id", [x, y]) == "search"


@pytest.mark.parametrize("tab", ["desk"], indirect=True)
def test_none_of_these_and_the_balance(tab: Visit) -> None:
    page = tab.page
    pick(page, PANDA.label)
    expect(page.locator("#decision strong")).to_have_text("None of these")
    tab.keep("6-none")
    pick(page, MACAW.label)
    first = ranks(page)[0]
    page.locator("#tab-describe").click()
    page.locator("#use-hint").click()
    page.wait_for_selector("#sliders .slide")
    page.locator("#save").click()
    expect(page.locator("#moved")).to_contain_text(MACAW.name)
    assert ranks(page)[:2] == [MACAW.name, first]  # at the usual balance it leads: what the model says
    expect(page.locator("#gamma-words")).to_contain_text(f"{MACAW.name} leads from γ")
    page.locator("#gamma").focus()
    page.keyboard.press("End")
    expect(page.locator("#ranking b").first).to_have_text(MACAW.name)
    expect(page.locator("#gamma-words")).to_contain_text("benefit of the doubt")
    page.keyboard.press("Home")
    expect(page.locator("#ranking b").first).to_have_text(first)
    expect(page.locator("#gamma-words")).to_contain_text("missed more often")
    page.locator("#gamma-reset").click()
    expect(page.locator("#gamma-words")).to_contain_text("usual balance")
    page.locator("#candidates").select_option("unseen")
    expect(page.locator("#ranking li")).to_have_count(1)
    expect(page.locator("#gamma")).to_be_disabled()


def test_sliders_correct_what_was_understood(tab: Visit, birds: ServiceProcess) -> None:
    page = tab.page
    page.locator("#tab-describe").click()
    page.locator("#save").click()
    expect(page.locator("#describe-problem")).to_contain_text("Give it a name")
    page.locator("#name").fill("Night Bird")
    page.locator("#sentence").fill("a black bird with a red crown, quite nice")
    slider = page.get_by_role("slider", name="crown color: red")
    slider.focus()
    page.keyboard.press("End")
    expect(page.locator("#touched")).to_contain_text("1 slider moved")
    page.get_by_role("combobox", name="Add to crown color").select_option("crown color: blue")
    page.keyboard.press("End")
    expect(page.locator("#touched")).to_contain_text("2 sliders moved")
    page.locator(".assumed > summary").click()
    page.locator(".silent > summary").first.click()
    expect(page.locator(".silent .slide").first).to_be_visible()
    tab.keep("7-sliders")
    page.locator("#save").click()
    expect(page.locator("#read-words")).to_contain_text("Night Bird is stored")
    stored = birds.client.get("/classes/night-bird").json()
    degrees = {row["key"]: row["degree"] for row in stored["attributes"]}
    assert stored["kind"] == "mapping"
    assert [degrees[f"crown color: {name}"] for name in ("red", "blue")] == pytest.approx([1, 1])
    assert degrees["wing color: black"] > 0.3  # what no slider touched is as it was read


def test_the_list_of_classes(tab: Visit, birds: ServiceProcess, tmp_path: Path) -> None:
    page, listed = tab.page, tab.page.locator("#class-list li")
    page.locator("#tab-classes").click()
    expect(page.locator("#count")).to_have_text("50 of 94 classes")
    rows = [{"id": f"zed-{n}", "label": f"Zed {n}", "prompt": f"a {c} bird"} for n, c in enumerate(("red", "blue"))]
    file = tmp_path / "zeds.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page.locator("#import").set_input_files(file)
    expect(page.locator("#transfer-done")).to_contain_text("2 classes imported")
    page.locator("#search").fill("ZED ")
    expect(listed).to_have_count(2)
    tab.keep("8-classes")
    page.get_by_role("button", name="Edit Zed 0").click()
    expect(page.locator("#sentence")).to_have_value("a red bird")
    page.locator("#name").fill("Zed Zero")
    page.locator("#save").click()
    expect(page.locator("#read-words")).to_contain_text("Zed Zero is stored")
    assert birds.client.get("/classes/zed-0").json()["prompt"] == "a red bird"
    page.locator("#tab-classes").click()
    page.get_by_role("button", name="Delete Zed Zero").click()
    tab.keep("9-sure")
    page.locator("#sure-no").click()
    page.get_by_role("button", name="Delete Zed Zero").click()
    page.locator("#sure-yes").click()
    expect(listed).to_have_count(1)
    assert birds.client.get("/classes/zed-0").status_code == 404
    with page.expect_download() as download:
        page.locator("#export-jsonl").click()
    exported = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert [row["id"] for row in exported if row["id"].startswith("zed")] == ["zed-1"]
    page.locator("#search").fill("bobolink")
    page.get_by_role("button", name="Hide Bobolink").click()
    expect(page.locator("#count")).to_have_text("No class matches.")
    page.locator("#kind").select_option("hidden")
    page.get_by_role("button", name="Show Bobolink").click()
    expect(page.locator("#count")).to_have_text("No class matches.")


def test_by_keyboard_alone_and_by_clipboard(browser: Browser, birds: ServiceProcess) -> None:
    tab = visit(browser, birds.url, "desk")
    tab.open()
    page = tab.page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("#tab-answer").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-describe")).to_be_focused()
    expect(page.locator("#describe")).to_be_visible()
    page.keyboard.press("End")
    expect(page.locator("#classes")).to_be_visible()
    hand_over = """([kind, name]) => fetch(`gallery/${name}`).then((answer) => answer.blob()).then((blob) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([blob], name, { type: blob.type }));
        const data = kind === "paste" ? { clipboardData: transfer } : { dataTransfer: transfer };
        const event = kind === "paste" ? new ClipboardEvent(kind, data) : new DragEvent(kind, data);
        document.body.dispatchEvent(new event.constructor(kind, { ...data, bubbles: true, cancelable: true }));
    })"""
    page.evaluate(hand_over, ["paste", PANDA.file])
    expect(page.locator("#decision strong")).to_have_text("None of these")
    page.evaluate(hand_over, ["drop", KINGFISHER.file])
    expect(page.locator("#decision strong")).to_contain_text("This looks like")
    page.locator("#file").set_input_files(SHIPPED / PANDA.file)
    expect(page.locator("#decision strong")).to_have_text("None of these")
    tab.end()
