"""`duet kg-embed` and `duet kg-attributes`: files, figures and mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from duet_core import cli
from tests.duet_core.benchmarks import tiny_graph, tiny_xlsa17


def embed(graph: Path, out: Path, *more: str) -> int:
    return cli.main(["kg-embed", str(graph), "--out", str(out), "--dimensions", "5", "--epochs", "20", *more])


def test_the_file_holds_unit_vectors_by_name_and_how_they_were_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tiny_graph.write(tmp_path / "graph")
    assert embed(graph, tmp_path / "new" / "e.npz", "--seed", "3") == 0
    printed = capsys.readouterr().out
    assert f"{graph}: 19 triples, 13 entities, 3 relations" in printed
    assert re.search(r"held out 1 triples: mean rank [\d.]+ \(chance [\d.]+\), hits@10 [\d.]+ %", printed)
    with np.load(tmp_path / "new" / "e.npz") as content:
        arrays = {name: content[name] for name in content}
    assert sorted(arrays["entities"]) == [f"B:a{n}" for n in range(1, 7)] + [f"B:n{n}" for n in range(1, 8)]
    assert arrays["entity_vectors"].shape == (13, 5)
    assert arrays["entity_vectors"].dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(arrays["entity_vectors"], axis=1), 1, rtol=1e-5)
    made = json.loads(str(arrays["training"]))
    assert (made["options"]["seed"], made["options"]["epochs"], made["learned"]["count"]) == (3, 20, 19)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["e.npz"]


def test_the_seed_decides_the_file_and_holding_out_does_not_change_it(tmp_path: Path) -> None:
    graph, vectors = tiny_graph.write(tmp_path / "graph"), {}
    for name, more in {"one": (), "two": ("--holdout", "0"), "three": ("--seed", "1")}.items():
        assert embed(graph, tmp_path / f"{name}.npz", *more) == 0
        with np.load(tmp_path / f"{name}.npz") as content:
            vectors[name] = content["entity_vectors"]
    np.testing.assert_array_equal(vectors["one"], vectors["two"])
    assert not np.allclose(vectors["one"], vectors["three"], atol=0.1)


def test_mistakes_are_explained_and_leave_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = tiny_graph.write(tmp_path / "graph")
    for words, told in (
        ((graph, tmp_path / "e.mat"), r"out: got .*e\.mat; allowed is a file that ends with \.npz"),
        ((graph, tmp_path / "e.npz", "--margin", "-1"), r"margin: got -1\.0; allowed is above 0"),
        ((tmp_path / "none", tmp_path / "e.npz"), r"none is missing; give a file of triples"),
    ):
        assert embed(*words) == 2
        assert re.search(told, capsys.readouterr().err)
    assert not list(tmp_path.glob("*e.npz*"))


def test_attributes_of_a_graph_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph, classes = tiny_graph.write(tmp_path / "graph"), tmp_path / "classes.txt"
    classes.write_text("".join(f"  {row}\t{name}\n" for row, name in enumerate(tiny_xlsa17.NAMES, start=1)))
    assert embed(graph, tmp_path / "e.npz", "--holdout", "0") == 0
    capsys.readouterr()
    words = ["kg-attributes", str(graph), str(classes), "--embedding", str(tmp_path / "e.npz")]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "7 classes, h = 1: 3 relations, 6 entities, 6 attributes, 19 pairs, 2 to 3 a class"
    assert lines[3:6] == [
        "| wing color | 2 | 8 | blue, grey |",
        "| tail shape | 1 | 4 | forked |",
        "| size | 3 | 7 | large, small, medium |",
    ]
    assert lines[6] == "e.npz: 7 x 5, length 1.00 to 1.00"
    assert lines[7].startswith("e.npz: class distances correlate ")
    classes.write_text("Phoenix\nKea\n")
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert "class 'Phoenix' is not in the graph" in told
    assert "class 'Kea' is not in the graph" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "got no file; give a text file with a class a line, such as data/AWA2/classes.txt"),
        ("folder", "got a folder; give a text file with a class a line"),
        (b"MATLAB \x80", "no text in UTF-8"),
        (b"\n \n", "it names no class"),
    ],
)
def test_a_file_without_classes_is_refused_in_words(
    content: bytes | str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, classes = tiny_graph.write(tmp_path / "graph"), tmp_path / "classes.txt"
    if isinstance(content, bytes):
        classes.write_bytes(content)
    elif content:
        classes.mkdir()
    assert cli.main(["kg-attributes", str(graph), str(classes)]) == 2
    said = capsys.readouterr().err
    assert str(classes) in said
    assert told in said
