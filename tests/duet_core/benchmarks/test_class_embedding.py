"""Class embeddings: rows found by name or in class order, and how far that order can be checked."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from duet_core.benchmarks import BenchmarkError, load_xlsa17
from duet_core.benchmarks.class_embedding import order_agreement, read_class_embedding, report_order
from duet_core.benchmarks.knowledge_graph import graph_attributes
from duet_core.benchmarks.triples import read_graph
from tests.duet_core.benchmarks import tiny_xlsa17

NAMES, ENTITIES = ("wren", "owl", "jay"), ("B:n1", "B:n7", "B:n5")
VECTORS = np.array([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0], [6.0, 8.0]], dtype=np.float32)


def write_npz(file: Path, **changes: Any) -> Path:
    np.savez(file, **({"entities": np.array(["B:n5", "B:a1", "B:n1", "B:n7"]), "entity_vectors": VECTORS} | changes))
    return file


def test_rows_of_npz_are_found_by_entity(tmp_path: Path) -> None:
    found = read_class_embedding(write_npz(tmp_path / "e.npz"), NAMES, ENTITIES)
    np.testing.assert_array_equal(found, VECTORS[[2, 3, 0]])
    assert found.dtype == np.float32


@pytest.mark.parametrize("key", ["embeddings", "k2v", "o2v"])
def test_rows_of_mat_are_in_class_order(tmp_path: Path, key: str) -> None:
    scipy.io.savemat(tmp_path / "e.mat", {key: VECTORS[:3].astype(np.float64), "other": 1})
    found = read_class_embedding(tmp_path / "e.mat", NAMES, ENTITIES)
    np.testing.assert_array_equal(found, VECTORS[:3])
    assert found.dtype == np.float32


def test_what_does_not_fit_is_refused_with_all_its_problems(tmp_path: Path) -> None:
    def told(name: str) -> str:
        with pytest.raises(BenchmarkError) as caught:
            read_class_embedding(tmp_path / name, NAMES, ENTITIES)
        return str(caught.value)

    assert "`duet kg-embed GRAPH --out none.npz` makes one" in told("none.npz")
    (tmp_path / "e.csv").write_text("")
    assert "got a .csv file; allowed are .npz and .mat" in told("e.csv")
    write_npz(tmp_path / "few.npz", entities=np.array(["B:n5", "B:a1", "B:a2", "B:a3"]))
    assert "class 'wren': no vector of entity B:n1" in told("few.npz")
    assert "class 'owl': no vector of entity B:n7" in told("few.npz")
    np.savez(tmp_path / "other.npz", x=1)
    assert "got arrays x" in told("other.npz")
    write_npz(tmp_path / "bad.npz", entity_vectors=np.array([[1, 1], [1, 1], [0, 0], [np.nan, 1]], dtype=np.float32))
    assert "class 'wren' has a vector that is 0" in told("bad.npz")
    assert "class 'owl'" in told("bad.npz")
    assert "class 'jay'" not in told("bad.npz")
    scipy.io.savemat(tmp_path / "shape.mat", {"embeddings": VECTORS})
    assert "embeddings is (4, 2); expected (3, K)" in told("shape.mat")
    scipy.io.savemat(tmp_path / "key.mat", {"vectors": VECTORS})
    assert "has no embeddings or k2v or o2v" in told("key.mat")
    (tmp_path / "text.mat").write_text("no matrix")
    assert "not a readable MATLAB v5 file" in told("text.mat")


def test_agreement_equals_a_loop_and_shuffled_rows_fall_below(caplog: pytest.LogCaptureFixture) -> None:
    random = np.random.default_rng(5)
    degrees = (random.random((12, 30)) < 0.4).astype(np.float32)
    vectors = (degrees @ random.normal(size=(30, 40)) * random.uniform(1, 3, (12, 1))).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ours, theirs = (
        [float(np.linalg.norm(rows[a] - rows[b])) for a in range(12) for b in range(a)] for rows in (unit, degrees)
    )
    agreement, shuffled = order_agreement(vectors, degrees)
    assert agreement == pytest.approx(np.corrcoef(ours, theirs)[0, 1], abs=1e-5)
    assert shuffled < agreement
    with caplog.at_level(logging.INFO):
        report_order(Path("right.mat"), vectors, degrees)
        assert [record.levelname for record in caplog.records] == ["INFO"]
        report_order(Path("wrong.mat"), vectors[::-1], degrees)
    assert caplog.records[-1].levelname == "WARNING"
    assert "wrong.mat" in caplog.text
    assert "in the order of the classes" in caplog.text


def test_a_benchmark_compares_v_with_its_embedding(tmp_path: Path) -> None:
    base = load_xlsa17(tiny_xlsa17.write(tmp_path / "tiny"))
    vectors = np.random.default_rng(6).normal(size=(7, 3)).astype(np.float32)
    other = replace(base, class_embedding=vectors)
    np.testing.assert_allclose(other.class_vectors, vectors / np.linalg.norm(vectors, axis=1)[:, None], rtol=1e-6)
    np.testing.assert_array_equal(other.classes.degree, base.classes.degree)
    with pytest.raises(BenchmarkError, match=r"class_embedding is \(3, 3\); expected \(7, K\)"):
        replace(base, class_embedding=vectors[:3])


@pytest.mark.data
def test_the_authors_embedding_is_in_the_order_of_the_classes(shared_data: Path) -> None:
    cell = scipy.io.loadmat(shared_data / "xlsa17" / "AWA2" / "att_splits.mat")["allclasses_names"]
    names = [str(entry[0][0]) for entry in cell]
    found = graph_attributes(read_graph(shared_data / "AWA2-KG"), names)
    vectors = read_class_embedding(shared_data / "AWA2-KG" / "TransE_65000.mat", names, found.class_entities)
    assert vectors.shape == (50, 100)
    agreement, shuffled = order_agreement(vectors, found.degrees)
    assert agreement > 0.8
    assert shuffled < 0.2
