"""The learned map: its arithmetic, its file, and a bundle that holds one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duet_core.runtime import BundleError, TextInterpreter, open_bundle
from duet_core.runtime.bundle import SENTENCES
from duet_core.runtime.sentence_map import DENIED, SentenceMap, SentenceMapError, lexical_evidence, load_sentence_map
from tests.tiny_bundle import SCHEMA, write_manifest, write_tiny_bundle

A, RANK = len(SCHEMA), 3
WORDS = ("dusky", "songbird")


def a_map(width: int, attributes: int = A, seed: int = 0) -> SentenceMap:
    draw = np.random.default_rng(seed)
    features = attributes + len(WORDS) + width
    return SentenceMap(
        words=WORDS,
        word_weights=np.array([1.5, 0.5], dtype=np.float32),
        offset=draw.normal(0, 0.1, features).astype(np.float32),
        reduce=draw.normal(0, 0.1, (features, RANK)).astype(np.float32),
        expand=draw.normal(0, 0.3, (RANK, attributes)).astype(np.float32),
    )


def test_features_and_deviation_by_hand() -> None:
    learned = a_map(width=2)
    lexical = lexical_evidence({0: 0.7, 3: 0.0}, A)
    assert float(lexical[0]) == pytest.approx(0.7)
    assert float(lexical[3]) == DENIED
    assert np.count_nonzero(lexical) == 2
    features = learned.features(lexical, ["songbird", "songbird", "other"], np.array([0.6, 0.8], dtype=np.float32))
    np.testing.assert_array_equal(features[A:], np.array([0, 0.5, 0.6, 0.8], dtype=np.float32))
    by_hand = np.zeros(A)
    for f in range(len(features)):
        for r in range(RANK):
            by_hand += (float(features[f]) - float(learned.offset[f])) * float(learned.reduce[f, r]) * learned.expand[r]
    np.testing.assert_allclose(learned.deviation(features), by_hand, atol=1e-6)


def test_the_file_keeps_it(tmp_path: Path) -> None:
    learned = a_map(width=2)
    learned.save(tmp_path / "map.npz")
    again = load_sentence_map(tmp_path / "map.npz")
    assert (again.words, again.attributes, again.embedding_width) == (WORDS, A, 2)
    features = learned.features(lexical_evidence({1: 1.0}, A), WORDS, np.ones(2, dtype=np.float32))
    np.testing.assert_allclose(again.deviation(features), learned.deviation(features), atol=2e-3)


def test_parts_that_do_not_fit_are_refused() -> None:
    learned = a_map(width=2)
    with pytest.raises(SentenceMapError, match="expected finite V"):
        SentenceMap(
            words=WORDS,
            word_weights=learned.word_weights,
            offset=learned.offset[1:],
            reduce=learned.reduce,
            expand=learned.expand,
        )


def bundle_with(folder: Path, learned: SentenceMap) -> Path:
    write_tiny_bundle(folder)
    learned.save(folder / SENTENCES)
    write_manifest(folder)
    return folder


def test_a_bundle_with_a_map_uses_it_and_keeps_what_was_said(tmp_path: Path) -> None:
    plain = open_bundle(write_tiny_bundle(tmp_path / "plain"))
    assert plain.sentences is None
    width = plain.attribute_embeddings.shape[1]
    bundle = open_bundle(bundle_with(tmp_path / "learned", a_map(width)))
    prompt = "a small bird with a blue crown and no spots on its wings"
    found = TextInterpreter(bundle).interpret(prompt)
    assert not np.allclose(found.degrees, TextInterpreter(plain).interpret(prompt).degrees)
    degrees = dict(zip(SCHEMA.keys, found.degrees, strict=True))
    prior = dict(zip(SCHEMA.keys, bundle.prior, strict=True))
    assert degrees["wing pattern: spotted"] == 0
    assert degrees["crown color: blue"] >= prior["crown color: blue"] - 1e-6
    assert found.degrees.min() >= 0
    assert found.degrees.max() <= 1
    exact = "crown color: blue | size: small"
    assert np.allclose(
        TextInterpreter(bundle).interpret(exact).degrees, TextInterpreter(plain).interpret(exact).degrees
    )


@pytest.mark.parametrize(("attributes", "extra"), [(A, 5), (A - 1, 0)])
def test_a_map_of_another_model_is_refused(tmp_path: Path, attributes: int, extra: int) -> None:
    width = open_bundle(write_tiny_bundle(tmp_path / "plain")).attribute_embeddings.shape[1]
    folder = bundle_with(tmp_path / "other", a_map(width + extra, attributes))
    with pytest.raises(BundleError, match=r"sentences\.npz"):
        open_bundle(folder)
