"""The report on a folder with a knowledge graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from duet_core.benchmarks.check_table import Report
from duet_core.benchmarks.checking import check_benchmark
from tests.duet_core.benchmarks import tiny_graph


def states(report: Report) -> dict[str, str]:
    return {check.name: check.state for check in report.checks}


def test_a_graph_is_reported_with_table_2_beside_it(tmp_path: Path) -> None:
    report = check_benchmark(tiny_graph.write(tmp_path / "graph"))
    assert report.is_usable
    found = {check.name: check.got for check in report.checks}
    assert found["triples"] == f"{len(tiny_graph.triples())}, 3 relations"
    assert found["names"] == "13 of 13 entities"
    assert found["class.json"] == "7 classes in the graph"
    assert found["attributes, h = 1"] == f"6 under 3 relations, {len(tiny_graph.triples())} pairs"
    assert found["attributes of a class"] == "2 to 3"
    assert report.figures == [
        ("prompt sets", "3", "17"),
        ("attributes", "6", "120"),
        ("classes (seen / unseen)", "7", "50 (40 / 10)"),
    ]
    assert "data.graph" in report.text()


def test_without_class_json_that_alone_is_missing(tmp_path: Path) -> None:
    report = check_benchmark(tiny_graph.write(tmp_path / "graph", classes=False))
    assert not report.is_usable
    assert states(report)["class.json"] == "missing"
    assert states(report)["attributes"] == "skipped"


def test_entities_without_a_name_are_told(tmp_path: Path) -> None:
    folder = tiny_graph.write(tmp_path / "graph")
    (folder / "attribute.txt").unlink()
    report = check_benchmark(folder)
    assert report.is_usable
    assert "7 of 13 entities" in report.text()
    assert "a1, " in report.text().replace("B:", "")


def test_a_line_that_is_no_triple_is_a_row(tmp_path: Path) -> None:
    folder = tiny_graph.write(tmp_path / "graph")
    with (folder / "class_attribute_triples.txt").open("a") as file:
        file.write("B:n1\tB:size\n")
    report = check_benchmark(folder)
    assert not report.is_usable
    assert states(report) == {"triples": "wrong", "attributes": "skipped"}
    assert f"line {len(tiny_graph.triples()) + 1}" in report.text()


def test_attributes_that_sentences_cannot_tell_apart_are_rows(tmp_path: Path) -> None:
    folder = tiny_graph.write(tmp_path / "graph", [*tiny_graph.triples(), ("B:n1", "B:size", "B:a9")])
    with (folder / "attribute.txt").open("a") as file:
        file.write("a9\tlarge\n")
    report = check_benchmark(folder)
    assert not report.is_usable
    assert "attribute 'size: large' is 2 entities" in report.text()


@pytest.mark.data
def test_awa2_kg(shared_data: Path) -> None:
    report = check_benchmark(shared_data / "AWA2-KG")
    assert report.is_usable
    assert report.figures == [
        ("prompt sets", "16", "17"),
        ("attributes", "117", "120"),
        ("classes (seen / unseen)", "50", "50 (40 / 10)"),
    ]
