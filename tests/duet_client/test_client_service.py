"""Both clients, and the commands on top of them, against a real service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from duet_client import (
    BadRequest,
    Conflict,
    DuetClient,
    NewClass,
    NotFound,
)
from duet_core.cli import main
from tests.service_process import ROOT, ServiceProcess
from tests.tiny_bundle import ALL_BLUE, SCHEMA, SEEN, picture_bytes

BLUE = NewClass(id="blue-bird", label="Blue Bird", attributes=ALL_BLUE)


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
    described = ["classes", "add", "blue-bird", "--prompt", words, "--space", space]
    assert main([*described, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("blue-bird (Blue Bird) would be understood so; nothing was stored\n")
    assert main(described) == 0
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
        (["classes", "import", "none.txt"], "none.txt"),
        (["classes", "export", "none.txt"], "files of classes are .jsonl"),
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
