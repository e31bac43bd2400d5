"""Both clients on all that came with versions, spaces, import and export, decisions and calibration."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from duet_client import AsyncDuetClient, BadRequest, ClassChange, Conflict, DryRun, DuetClient, NewClass, NotFound
from duet_core.cli import main
from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, SCHEMA, SEEN, degrees, picture_bytes

BLUE = NewClass(id="blue-bird", label="Blue Bird", attributes=ALL_BLUE)
SENTENCE = NewClass(id="small-bird", label="Small Bird", prompt="a small bird with a blue crown and green wings")
VECTOR = NewClass(id="vector-bird", label="Vector Bird", attributes=[float(x) for x in degrees(ALL_BLUE)])
BAD = NewClass(id="Bad Id", label="X", prompt="red")

Ask = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, service: ServiceProcess) -> Ask:
    """``ask(method, …)`` calls a method of either client."""

    def waiting(method: str, *given: Any, **named: Any) -> Any:
        with DuetClient(service.url) as duet:
            return getattr(duet, method)(*given, **named)

    def awaiting(method: str, *given: Any, **named: Any) -> Any:
        async def run() -> Any:
            async with AsyncDuetClient(service.url) as duet:
                return await getattr(duet, method)(*given, **named)

        return asyncio.run(run())

    return waiting if request.param == "sync" else awaiting


def test_an_import_is_all_or_nothing_and_names_every_bad_row(ask: Ask, space: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ask("import_classes", [BLUE, BAD, SENTENCE, BLUE], space=space)
    rows = refused.value.problem.bad_rows
    assert [(row.row, row.id, row.problem) for row in rows] == [
        (2, "Bad Id", "invalid-class"),
        (4, "blue-bird", "invalid-class"),
    ]
    assert ask("class_page", seen=False, space=space).total == 0
    assert ask("import_classes", [BLUE, SENTENCE], space=space).imported == 2
    with pytest.raises(Conflict) as taken:
        ask("import_classes", [VECTOR, SENTENCE], space=space)
    assert [(row.row, row.id, row.problem) for row in taken.value.problem.bad_rows] == [
        (2, "small-bird", "class-exists")
    ]
    done = ask("import_classes", [VECTOR, SENTENCE], replace=True, space=space)
    assert (done.imported, done.revision) == (2, 2)
    assert {"vector-bird", "blue-bird"} in [{pair.imported_id, pair.class_id} for pair in done.near_duplicates]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_export_is_imported_with_the_same_degrees(ask: Ask, space: str, tmp_path: Path, kind: str) -> None:
    ask("import_classes", [BLUE, SENTENCE, VECTOR], space=space)
    file = tmp_path / f"classes.{kind}"
    file.write_bytes(ask("export_classes", kind=kind, space=space))
    other = f"{space}-2"
    assert ask("import_classes", file, space=other).imported == 3
    for new in (BLUE, SENTENCE, VECTOR):
        one, two = (ask("get_class", new.id, space=name) for name in (space, other))
        assert (one.label, one.prompt, one.kind, one.attributes) == (two.label, two.prompt, two.kind, two.attributes)


def test_a_change_is_made_only_to_the_version_known(ask: Ask, space: str) -> None:
    first = ask("replace_class", BLUE, space=space)
    assert (first.version, first.revision) == (1, 1)
    same = ask("get_class", "blue-bird", space=space)
    assert (same.etag, same.version) == (first.etag, 1)
    changed = ask("update_class", "blue-bird", ClassChange(label="Azure"), if_match=first.etag, space=space)
    assert (changed.label, changed.version) == ("Azure", 2)
    assert changed.etag not in ("", first.etag)
    for method, given in (
        ("update_class", ("blue-bird", ClassChange(label="Late"))),
        ("replace_class", (BLUE,)),
        ("delete_class", ("blue-bird",)),
    ):
        with pytest.raises(Conflict) as late:
            ask(method, *given, if_match=first.etag, space=space)
        assert (late.value.problem.slug, late.value.problem.allowed) == ("precondition-failed", changed.etag)
    assert ask("get_class", "blue-bird", space=space, as_of=1).label == "Blue Bird"
    assert ask("delete_class", "blue-bird", if_match=changed.etag, space=space).revision == 3
    assert [entry.operation for entry in ask("log", space=space)] == ["delete", "change", "replace"]
    assert ask("log", space=space, before=3, limit=1)[0].ids == ["blue-bird"]


def test_what_is_not_named_in_a_change_stays_and_none_is_a_value(ask: Ask, space: str) -> None:
    ask("add_class", BLUE.model_copy(update={"ttl_seconds": 3600}), space=space)
    assert ask("update_class", "blue-bird", ClassChange(label="B"), space=space).label == "B"
    assert ask("get_class", "blue-bird", space=space).expires_at is not None
    ask("update_class", "blue-bird", ClassChange(ttl_seconds=None), space=space)
    assert ask("get_class", "blue-bird", space=space).expires_at is None
    seen = next(iter(SEEN))
    assert ask("update_class", seen, ClassChange(hidden=True), space=space).hidden
    assert seen not in [found.id for found in ask("class_page", space=space).classes]
    assert [found.id for found in ask("class_page", hidden=True, space=space).classes] == [seen]
    assert [found.id for found in ask("class_page", q="LUE-b", space=space).classes] == ["blue-bird"]


def test_a_dry_run_stores_nothing(ask: Ask, space: str) -> None:
    ask("add_class", BLUE, space=space)
    tried = ask("add_class", VECTOR, dry_run=True, space=space)
    assert (tried.version, tried.revision) == (0, 1)
    assert isinstance(tried, DryRun)
    assert [row.key for row in tried.degrees] == list(SCHEMA.keys)
    assert [near.class_id for near in tried.near_duplicates] == ["blue-bird"]
    with pytest.raises(NotFound):
        ask("get_class", "vector-bird", space=space)


def test_spaces_are_made_copied_and_deleted(ask: Ask, space: str) -> None:
    assert ask("add_space", space, label="One").name == space
    assert ask("change_space", space, gamma=1.25).gamma == ask("get_space", space).gamma == 1.25
    assert ask("change_space", space, gamma=None).gamma is None
    ask("add_class", BLUE, space=space)
    copy = f"{space}-copy"
    ask("add_space", copy, copy_of=space)
    found = {one.name: one for one in ask("spaces")}
    assert (found[space].label, found[space].classes, found[copy].classes) == ("One", 1, 1)
    assert ask("delete_space", copy).name == copy
    with pytest.raises(NotFound):
        ask("get_space", copy)
    assert ask("get_space", space).classes == 1


def test_contrast_edits_map_and_gamma(ask: Ask, space: str) -> None:
    revision = ask("add_class", BLUE, space=space).revision
    photo = picture_bytes("blue", "green")
    answer = ask("classify", photo, space=space, gamma=0, min_revision=revision)
    assert answer.model.gamma == 0
    why = ask("explain", answer.image_id, class_id="blue-bird", versus="green-bird", edits=True, space=space)
    assert why.contrast.score_difference == pytest.approx(sum(part.contribution for part in why.contrast.contributions))
    assert why.edits.class_id == "green-bird"
    plain = ask("explain", answer.image_id, space=space)
    assert (plain.contrast, plain.edits) == (None, None)
    with Image.open(io.BytesIO(ask("heat_map", photo, attribute=SCHEMA.keys[0], space=space))) as drawn:
        assert drawn.format == "PNG"
    with pytest.raises(NotFound):
        ask("heat_map", photo, class_id="no-such", space=space)


def test_labelled_photos_make_sets_trustworthy(ask: Ask, space: str) -> None:
    shown = {"red-bird": "#{:02x}0000", "green-bird": "#00{:02x}00"}
    labelled = {
        ask("classify", picture_bytes(colour.format(255 - 4 * turn)), space=space).image_id: name
        for turn in range(5)
        for name, colour in shown.items()
    }
    state = ask("calibrate", labelled, space=space)
    assert (state.photos, state.photos_seen, state.accuracy) == (10, 10, 1.0)
    assert ask("calibration", space=space).photos == 10
    more = ask("calibrate", dict([next(iter(labelled.items()))]), append=True, space=space)
    assert more.photos == 10  # the same photo again
    answer = ask("classify", picture_bytes("red"), coverage=0.9, space=space)
    assert (answer.coverage.target_coverage, answer.coverage.guarantee) == (0.9, "valid")
    assert "red-bird" in answer.coverage.set
    assert ask("forget_calibration", space=space).photos == 0
    model = ask("model")
    assert (model.attributes, model.calibration.gamma) == (len(SCHEMA), 0.1)


def test_pages_of_the_asynchronous_client(service: ServiceProcess, space: str) -> None:
    async def everything() -> None:
        async with AsyncDuetClient(service.url) as duet:
            await duet.import_classes([BLUE, SENTENCE], space=space)
            photos = [duet.classify(picture_bytes(colour), space=space) for colour in ("blue", "red") * 4]
            best = [answer.predictions[0].class_id for answer in await asyncio.gather(*photos)]
            assert best == ["blue-bird", "red-bird"] * 4
            assert [found.id async for found in duet.classes(space=space, page=1)] == [*SEEN, "blue-bird", "small-bird"]

    asyncio.run(everything())


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_the_export_and_import_commands(
    service: ServiceProcess, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    file, other = tmp_path / f"classes.{suffix}", f"{space}-2"
    where = ["--server", service.url, "--space"]
    with DuetClient(service.url) as duet:
        duet.import_classes([BLUE, SENTENCE], space=space)
    assert main(["classes", "export", str(file), *where, space]) == 0
    assert f"written to {file}, {file.stat().st_size} bytes" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [file]
    assert main(["classes", "import", str(file), *where, other]) == 0
    assert capsys.readouterr().out == f"stored 2 classes in space {other}, revision 1\n"
    assert main(["classes", "import", str(file), *where, other, "--json"]) == 2
    printed = capsys.readouterr()
    assert [json.loads(line)["problem"] for line in printed.out.splitlines()] == ["class-exists"] * 2
    assert "nothing was stored" in printed.err
    assert main(["classes", "import", str(file), *where, other, "--replace"]) == 0
    assert "revision 2" in capsys.readouterr().out


def test_the_import_command_names_bad_rows(
    service: ServiceProcess, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "classes.jsonl"
    good = BLUE.model_dump_json(exclude_none=True)
    file.write_text("\n".join([good, "{", '{"id": "x", "label": "X", "prompt": "of the"}', good]))
    assert main(["classes", "import", str(file), "--server", service.url, "--space", space]) == 2
    printed = capsys.readouterr()
    assert [line.split(":")[0] for line in printed.out.splitlines()] == ["row 2", "row 3", "row 4"]
    assert "no attribute was understood" in printed.out
    assert "3 of 4 rows are bad; nothing was stored" in printed.err
    with DuetClient(service.url) as duet:
        assert duet.class_page(seen=False, space=space).total == 0
