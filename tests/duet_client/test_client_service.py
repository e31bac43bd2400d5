"""Both clients, and the commands on top of them, against a real service."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from duet_client import (
    AsyncDuetClient,
    BadRequest,
    Conflict,
    DuetClient,
    NewClass,
    NotFound,
    Row,
    RowMistake,
    RowReport,
    read_rows,
)
from duet_core.cli import main
from tests.service_process import ROOT, ServiceProcess
from tests.tiny_bundle import ALL_BLUE, SCHEMA, SEEN, degrees, picture_bytes

BLUE = NewClass(id="blue-bird", label="Blue Bird", attributes=ALL_BLUE)
SENTENCE = NewClass(id="small-bird", label="Small Bird", prompt="a small bird with a blue crown and green wings")
VECTOR = NewClass(id="vector-bird", label="Vector Bird", attributes=[float(x) for x in degrees(ALL_BLUE)])


def test_a_class_from_description_to_explanation(service: ServiceProcess, space: str, tmp_path: Path) -> None:
    photo = tmp_path / "blue.png"
    photo.write_bytes(picture_bytes("blue"))
    with DuetClient(service.url) as duet:
        assert not duet.classify(photo, space=space).decision.accepted
        stored = duet.add_class(BLUE, space=space)
        assert (stored.kind, stored.revision, stored.interpretation.attributes[0].degree) == ("mapping", 1, 1.0)
        answer = duet.classify(photo.read_bytes(), space=space, top_k=2)
        assert (answer.predictions[0].class_id, len(answer.predictions), answer.revision) == ("blue-bird", 2, 1)
        assert duet.classify(photo, space=space, candidates="seen").predictions[0].seen
        for shown in (answer.image_id, photo):
            why = duet.explain(shown, class_id="blue-bird", limit=3, space=space).explained
            total = sum(part.contribution for part in why.contributions) + why.rest
            assert total == pytest.approx(answer.predictions[0].score)
        detail = duet.get_class("blue-bird", space=space)
        assert {a.key: a.degree for a in detail.attributes if a.degree} == pytest.approx(ALL_BLUE)
        with pytest.raises(Conflict) as taken:
            duet.add_class(BLUE, space=space)
        assert (taken.value.problem.slug, taken.value.attempts) == ("class-exists", 1)
        with pytest.raises(BadRequest, match="wing color: blue"):
            duet.add_class(NewClass(id="x", label="X", attributes={"wing colour: blue": 1}), space=space)
        assert duet.delete_class("blue-bird", space=space).revision == 2
        with pytest.raises(NotFound):
            duet.get_class("blue-bird", space=space)
        assert duet.attributes().count == len(SCHEMA)


@pytest.mark.parametrize("odd", ["a/b", "../classes", "a?b#c", "%2e%2e", "ä"])
def test_odd_ids_stay_one_part_of_the_path(service: ServiceProcess, space: str, odd: str) -> None:
    with DuetClient(service.url) as duet, pytest.raises(NotFound) as missing:
        duet.delete_class(odd, space=space)
    assert missing.value.problem.slug in ("class-not-found", "not-found")


def outcomes(reports: list[RowReport]) -> list[tuple[int, str | None, str]]:
    return [(report.line, report.id, report.outcome) for report in reports]


BAD = NewClass(id="Bad Id", label="X", prompt="red")
ROWS: list[NewClass | Row] = [BLUE, BAD, Row(30, None, "no JSON"), BLUE, SENTENCE]
EXPECTED = [
    (1, "blue-bird", "stored"),
    (2, "Bad Id", "refused"),
    (30, None, "refused"),
    (4, "blue-bird", "exists"),
    (5, "small-bird", "stored"),
]


def test_an_import_reports_every_row(service: ServiceProcess, space: str) -> None:
    with DuetClient(service.url) as duet:
        reports = list(duet.import_classes(ROWS, space=space))
        assert outcomes(reports) == EXPECTED
        assert [type(report.error) for report in reports] == [type(None), BadRequest, RowMistake, Conflict, type(None)]
        assert [found.id for found in duet.classes(seen=False, space=space)] == ["blue-bird", "small-bird"]


def test_the_asynchronous_client_does_the_same(service: ServiceProcess, space: str) -> None:
    async def everything() -> None:
        async with AsyncDuetClient(service.url) as duet:
            assert outcomes([r async for r in duet.import_classes(ROWS, space=space)]) == EXPECTED
            photos = [duet.classify(picture_bytes(colour), space=space) for colour in ("blue", "red") * 4]
            best = [answer.predictions[0].class_id for answer in await asyncio.gather(*photos)]
            assert best == ["blue-bird", "red-bird"] * 4
            assert [found.id async for found in duet.classes(space=space, page=1)] == [*SEEN, "blue-bird", "small-bird"]
            assert [new.id async for new in duet.export_classes(space=space)] == ["blue-bird", "small-bird"]
            explained = await duet.explain(picture_bytes("blue"), space=space)
            assert explained.explained.class_id == "blue-bird"
            assert (await duet.attributes()).count == len(SCHEMA)
            assert (await duet.delete_class("blue-bird", space=space)).id == "blue-bird"
            with pytest.raises(NotFound):
                await duet.get_class("blue-bird", space=space)

    asyncio.run(everything())


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_an_export_read_into_another_space_gives_the_same_classes(
    service: ServiceProcess, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    file, other = tmp_path / f"classes.{suffix}", f"{space}-2"
    where = ["--server", service.url, "--space"]
    with DuetClient(service.url) as duet:
        assert {r.outcome for r in duet.import_classes([BLUE, SENTENCE, VECTOR], space=space)} == {"stored"}
        assert main(["classes", "export", str(file), *where, space]) == 0
        assert f"3 classes written to {file}" in capsys.readouterr().out
        assert main(["classes", "import", str(file), *where, other]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "3 stored"
        for new in (BLUE, SENTENCE, VECTOR):
            one, two = (duet.get_class(new.id, space=name) for name in (space, other))
            assert (one.label, one.prompt, one.attributes) == (two.label, two.prompt, two.attributes)


def test_the_import_command_reports_rows_and_fails(
    service: ServiceProcess, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "classes.jsonl"
    lines = [BLUE.model_dump_json(exclude_none=True), "{", '{"id": "x", "label": "X", "prompt": "of the"}']
    file.write_text("\n".join([*lines, lines[0]]))
    command = ["classes", "import", str(file), "--server", service.url, "--space", space]
    assert main(command) == 2
    printed = capsys.readouterr()
    assert [line.split()[:3] for line in printed.out.splitlines()] == [
        ["line", "1:", "stored"],
        ["line", "2:", "refused"],
        ["line", "3:", "refused"],
        ["line", "4:", "exists"],
    ]
    assert "no attribute was understood" in printed.out
    assert "3 of 4 rows were not stored (1 stored, 2 refused, 1 exists)" in printed.err

    file.write_text(lines[0])
    assert main([*command, "--skip-existing", "--json"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["line"], row["outcome"], row["problem"]["type"]) == (1, "exists", "/problems/class-exists")


def test_add_list_classify_delete(
    service: ServiceProcess,
    space: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DUET_SERVER", service.url)
    (tmp_path / "blue.png").write_bytes(picture_bytes("blue"))
    words = "a bird with a blue crown and blue wings, singing"
    assert main(["classes", "add", "blue-bird", "--prompt", words, "--space", space]) == 0
    out = capsys.readouterr().out
    assert out.startswith("stored blue-bird (Blue Bird), revision 1\n")
    assert "crown color: blue  from" in out
    assert "not used: singing" in out
    assert main(["classes", "add", "two", "--attributes", '{"size: small": 1}', "--json", "--space", space]) == 0
    assert json.loads(capsys.readouterr().out)["interpretation"]["attributes"][0]["key"] == "size: small"
    assert main(["classes", "list", "--space", space]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["blue-bird", "prompt"],
        ["two", "mapping"],
    ]
    assert main(["classes", "list", "--which", "all", "--json", "--space", space]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [*SEEN, "blue-bird", "two"]
    assert main(["classify", str(tmp_path / "blue.png"), "--top-k", "1", "--space", space]) == 0
    assert "  1. Blue Bird  " in capsys.readouterr().out
    assert main(["classes", "delete", "blue-bird", "never", "two", "--space", space]) == 2
    printed = capsys.readouterr()
    assert printed.out == "deleted blue-bird, revision 3\n"
    assert "has no class 'never'" in printed.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["classes", "list", "--server", "http://127.0.0.1:1"], "no answer from http://127.0.0.1:1, asked 4 times"),
        (["classify", "none.png"], "none.png"),
        (["classes", "add", "x", "--attributes", "{"], 'such as {"breast color: red": 0.9}'),
        (["classes", "import", "none.txt"], "read from .jsonl"),
        (["classes", "fly"], "no command 'classes fly'"),
    ],
)
def test_mistakes_are_explained(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err


def test_the_client_needs_nothing_of_the_service() -> None:
    program = (
        "import sys, duet_client;"
        "print([m for m in ('app', 'duet_core', 'numpy', 'onnxruntime', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rows_of_a_file_can_be_handed_to_the_client(service: ServiceProcess, space: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,label,prompt\na,A,a red bird\nb,B\n")
    with DuetClient(service.url) as duet:
        assert outcomes(list(duet.import_classes(read_rows(tmp_path / "x.csv"), space=space))) == [
            (2, "a", "stored"),
            (3, "b", "refused"),
        ]
