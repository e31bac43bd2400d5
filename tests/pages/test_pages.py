"""Every page's commands and programs work in the order of the page, and answer as it shows."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.pages.blocks import blocks, page_text
from tests.pages.pages import ALONE, HOW, SERVICE
from tests.pages.reader import ACTIVATE, read, script, service
from tests.redis_process import free_port


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, how in HOW.items() if how in (ALONE, SERVICE)])
def test_the_page_does_what_it_shows(page: str, tmp_path: Path) -> None:
    text, port = page_text(page), free_port()
    found = blocks(text)
    activated = ACTIVATE in text and not any(ACTIVATE in block.script for block in found)
    beside = service(tmp_path, port) if HOW[page] == SERVICE else nullcontext()
    with beside:
        read(page, found, tmp_path, port, activated)


def test_a_service_started_by_a_page_is_waited_for() -> None:
    written = script(blocks("```sh\nduet serve --bundle x &\ncurl localhost:8000/livez\n```\n"), 9001)
    assert "duet serve --bundle x --port 9001 > serve.log 2>&1 &\nready\ncurl localhost:9001/livez" in written


def test_a_page_that_fails_or_answers_otherwise_is_told(tmp_path: Path) -> None:
    for name, text, said in (
        ("a", "```sh\necho 1\n```\n```text\n2\n```\n", "page.md:1"),
        ("b", "```sh\nx=3\n```\n\n```sh\necho $x\nfalse\n```\n", "page.md:5 ended with 1"),
    ):
        (tmp_path / name).mkdir()
        with pytest.raises(pytest.fail.Exception, match=said):
            read("page.md", blocks(text), tmp_path / name, 1, False)
    (tmp_path / "c").mkdir()
    text = "```sh\nx=3\n```\n\n```sh\necho $x\n```\n```text\n3\n```\n"
    assert read("page.md", blocks(text), tmp_path / "c", 1, False)[5] == "3\n"
