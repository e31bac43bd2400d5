"""Reading triples and names: every mistake at once, with file and line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.benchmarks.triples import read_graph, relation_words, words
from tests.duet_core.benchmarks import tiny_graph


def test_a_folder_gives_triples_and_names(tmp_path: Path) -> None:
    folder = tiny_graph.write(tmp_path / "graph")
    (folder / "up_triples.txt").write_text("B:n1\trdfs:subClassOf\tB:n9\n\nB:n1\tB:size\tB:a5\n")
    (folder / "labels.csv").write_text(
        "Subject\tRelation\tObject\nB:n9\trdfs:label\tsmall_bird, passerine\nB:n9\tcn:usedFor\tcn:song\nno triple\n"
    )
    graph = read_graph(folder)
    assert graph.triples == tuple(sorted({*tiny_graph.triples(), ("B:n1", "rdfs:subClassOf", "B:n9")}))
    assert [graph.name(entity) for entity in ("B:n7", "B:a3", "B:n9")] == ["owl", "forked", "small bird"]
    assert graph.classes == {f"B:{key}": name for key, name in tiny_graph.IDS.items()}
    assert graph.relations == ("B:size", "B:tailShape", "B:wingColor", "rdfs:subClassOf")
    assert len(graph.entities) == 7 + 6 + 1


def test_one_file_is_a_graph_with_its_own_labels(tmp_path: Path) -> None:
    file = tmp_path / "graph.csv"
    file.write_text(
        "Subject\tRelation\tObject\nx:1\trdfs:label\tzebra, equine\nx:1\tx:has\tx:tough_skin\n"
        "x:1\towl:disjointWith\tx:horns\nx:1\towl:sameAs\ty:zebra\n"
    )
    graph = read_graph(file)
    assert graph.triples == (("x:1", "x:has", "x:tough_skin"),)
    assert (graph.name("x:1"), graph.name("x:tough_skin"), dict(graph.classes)) == ("zebra", "tough skin", {})


def test_names_without_seen_and_unseen(tmp_path: Path) -> None:
    folder = tiny_graph.write(tmp_path)
    (folder / "class.json").write_text('{"n1": "winter+wren", "n99": "not in the triples"}')
    assert read_graph(folder).classes == {"B:n1": "winter wren"}


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    folder = tiny_graph.write(tmp_path)
    (folder / "more_triples.txt").write_text("B:n1 B:size B:a5\nB:n1\tB:size\tB:a5\nB:n1\t\tB:a5\n")
    (folder / "class.json").write_text('{"seen": ["n1"]}')
    (folder / "attribute.txt").write_text("a1 blue\na2\n")
    with pytest.raises(BenchmarkError) as caught:
        read_graph(folder)
    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    for place in ("more_triples.txt line 1: got", "more_triples.txt line 3", "class.json: got", "attribute.txt line 2"):
        assert place in told


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("folder", None, r"holds no \*_triples\.txt"),
        ("none.csv", None, r"none\.csv is missing"),
        ("empty.csv", "", r"no triples in empty\.csv"),
    ],
)
def test_where_there_is_no_graph(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(BenchmarkError, match=told):
        read_graph(tmp_path / name)


def test_a_known_typing_error_is_mended_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "g_triples.txt").write_text("A:x\tA:canMoveeBy\tA:walks\nA:x\tA:canMoveBy\tA:walks\n")
    with caplog.at_level(logging.INFO):
        graph = read_graph(tmp_path)
    assert graph.triples == (("A:x", "A:canMoveBy", "A:walks"),)
    assert "A:canMoveeBy is read as A:canMoveBy" in caplog.text


def test_relations_and_names_become_words() -> None:
    assert relation_words("AwA:hasBodyPart") == "has body part"
    assert relation_words("rdfs:subClassOf") == "sub class of"
    assert relation_words("is") == "is"
    assert words("giant+panda") == "giant panda"
    assert words("New_World_monkey: a|b") == "New World monkey a b"
