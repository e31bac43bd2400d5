"""Every code block of every page is run by a test, checked in another way, or says for which known reason it is not."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
import yaml

from app.settings import Settings
from duet_core.config import TrainConfig
from tests.pages.blocks import RUN, Block, blocks, page_text
from tests.pages.pages import HOW, REASONS, pages
from tests.pages.reader import ACTIVATE


def complaints(page: str, markdown: str) -> Iterator[str]:
    """The blocks of a page that nothing runs or checks and that give no known reason."""
    for block in blocks(markdown):
        where = f"{page}:{block.line}"
        if block.reason is not None:
            if block.reason not in REASONS:
                yield f"{where} is not run because it {block.reason!r}; known reasons are {', '.join(REASONS)}"
        elif block.kind == "yaml":
            yield from (f"{where}: {said}" for said in yaml_mistakes(yaml.safe_load(block.text)))
        elif block.kind not in RUN:
            yield f"{where} is {block.kind or 'unmarked'!r}: mark it sh, python or yaml, or put it below a command"
        elif block.script and page not in HOW:
            yield f"{where} is run by nothing: add the page to tests/pages/pages.py, or say why above the block"


def yaml_mistakes(snippet: dict[str, Any]) -> Iterator[str]:
    """Words of a snippet that the file it belongs to does not know: a recipe's section, a study's row, Compose."""
    sections = {field.name for field in dataclasses.fields(TrainConfig)}
    for name, value in snippet.items():
        if name in sections:
            yield from (f"no field {name}.{word}" for word in value if not is_field(f"{name}.{word}"))
        elif name == "services":
            for service in value.values():
                variables = service.get("environment", {})
                yield from (f"no setting {word}" for word in variables if not is_setting(word))
        elif isinstance(value, dict) and "set" in value:
            yield from (f"no field {word}" for word in value["set"] if not is_field(word))
        else:
            yield f"{name!r} is no section of a recipe, no row of a study and no services of Compose"


def is_field(name: str) -> bool:
    """Whether a recipe has ``section.field``."""
    section, _, field = name.partition(".")
    kind = get_type_hints(TrainConfig).get(section)
    return dataclasses.is_dataclass(kind) and field in {one.name for one in dataclasses.fields(kind)}


def is_setting(variable: str) -> bool:
    """Whether the service reads this variable."""
    return variable.removeprefix("DUET_").lower() in Settings.model_fields and variable.startswith("DUET_")


@pytest.mark.parametrize("page", pages())
def test_every_block_is_run_or_says_why_not(page: str) -> None:
    assert list(complaints(page, page_text(page))) == []


def test_the_lists_name_only_what_is_there() -> None:
    told = {block.reason for page in pages() for block in blocks(page_text(page))}
    assert REASONS.keys() - told == set()
    with_blocks = {page for page in pages() for b in blocks(page_text(page)) if b.kind in RUN and not b.reason}
    assert HOW.keys() - with_blocks == set()


def test_the_make_targets_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", page_text("Makefile"), re.MULTILINE))
    named = {target for page in pages() for block in blocks(page_text(page)) for target in block.targets}
    assert {"serve", "test"} <= named <= known


def unfindable(page: str) -> list[str]:
    """The `duet …` commands of a page's text and tables that a shell finds only in an activated environment."""
    return [] if ACTIVATE in page else re.findall(r"(?:^|\| `)duet [a-z]+[^`\n]*", page, re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "training/README.md", *HOW])
def test_a_shell_finds_the_commands(page: str) -> None:
    assert unfindable(page_text(page)) == []


def test_commands_that_a_shell_does_not_find_are_seen() -> None:
    found = unfindable("| it | `duet results runs` |\nduet predict x.png\n")
    assert found == ["| `duet results runs", "duet predict x.png"]


FENCE = "```"
PAGE = f"""
{FENCE}sh
make serve PORT=9000   # look at /docs
curl localhost:8000/livez
{FENCE}
{FENCE}json
{{"status": "ok", "…": "…"}}
{FENCE}
<!-- not run: needs a GPU -->
{FENCE}sh
pip install -r requirements/gpu.txt
{FENCE}
{FENCE}python
print(1)
{FENCE}

and then

{FENCE}text
1
{FENCE}
"""


def test_blocks_are_found_with_their_output_and_their_reason() -> None:
    first, second, third, last = blocks(PAGE)
    assert (first.line, first.script, first.targets, first.reason) == (2, "curl localhost:8000/livez", ("serve",), None)
    assert first.shown == Block(6, "json", '{"status": "ok", "…": "…"}')
    assert (second.reason, second.shown) == ("needs a GPU", None)
    assert (third.kind, third.script, third.shown) == ("python", "print(1)", None)
    assert (last.kind, last.line) == ("text", 19)


def test_a_block_that_nothing_runs_is_told() -> None:
    said = list(complaints("new.md", PAGE))
    assert [line.split(" ")[0] for line in said] == ["new.md:2", "new.md:13", "new.md:19"]
    (unknown,) = complaints("new.md", f"<!-- not run: because -->\n{FENCE}sh\nls\n{FENCE}\n")
    assert "'because'" in unknown


def test_mistakes_of_a_yaml_block_are_told() -> None:
    snippet = {"data": {"hops": 1, "hop": 1}, "row": {"set": {"loss.lambda": 1}}, "x": 1}
    services = {"app": {"environment": {"DUET_STORE": "", "DUET_STOR": ""}}}
    assert list(yaml_mistakes(snippet | {"services": services})) == [
        "no field data.hop",
        "no field loss.lambda",
        "'x' is no section of a recipe, no row of a study and no services of Compose",
        "no setting DUET_STOR",
    ]
