"""The model's prior is measured on training photos and that of the classes put in its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duet_core.benchmarks import load_xlsa17
from duet_core.classes import FloatArray
from duet_core.commands import grounding
from duet_core.grounding_evaluation import grounding_precision
from duet_core.grounding_prior import prior_correction
from duet_core.judging.photos import encode_rows
from duet_core.runtime import Encoder, open_bundle
from duet_core.runtime.bundle import renew_files
from tests.bird_benchmark import write_bird_benchmark, write_bird_bundle


def made(seed: int) -> tuple[FloatArray, np.ndarray, FloatArray]:
    """Scores (20, 6) of photos, present (5, 6) and degrees (5, 6) of classes; no class has attribute 3."""
    generator = np.random.default_rng(seed)
    present = generator.random((5, 6)) < 0.5
    present[0], present[:, 3] = True, False
    return (
        generator.random((20, 6)).astype(np.float32),
        present,
        generator.uniform(0.1, 1, (5, 6)).astype(np.float32),
    )


def test_the_factor_is_share_over_belief() -> None:
    scores, present, degree = made(0)
    expected = []
    for attribute in range(6):
        share = sum(float(degree[c, attribute]) for c in range(5) if present[c, attribute]) / 5
        believed = sum(float(scores[n, attribute]) for n in range(20)) / 20
        expected.append(share / believed)
    np.testing.assert_allclose(prior_correction(scores, present, degree), np.array(expected) / max(expected), rtol=1e-5)
    assert prior_correction(scores, present, degree)[3] == 0


def test_after_it_the_mean_score_is_the_share_of_the_classes() -> None:
    scores, present, degree = made(1)
    mean = (scores * prior_correction(scores, present, degree)).mean(axis=0)
    share = (present * degree).mean(axis=0)
    np.testing.assert_allclose(mean / mean.sum(), share / share.sum(), rtol=1e-5)


def test_what_does_not_belong_together_is_refused() -> None:
    scores, present, degree = made(2)
    with pytest.raises(ValueError, match=r"got scores \(20, 5\).* expected \(n, A\)"):
        prior_correction(scores[:, :5], present, degree)
    scores[:, 0] = 0
    with pytest.raises(ValueError, match=r"attributes \[0\] of the classes have no score"):
        prior_correction(scores, present, degree)


def test_a_bundle_that_believes_in_one_attribute_is_mended(tmp_path: Path) -> None:
    data = write_bird_benchmark(tmp_path / "data")
    folder = write_bird_bundle(tmp_path / "bundle")
    benchmark = load_xlsa17(data)
    rows = benchmark.trainval
    present = benchmark.classes.present[benchmark.labels[rows]]

    def precision() -> float:
        encoder = Encoder(open_bundle(folder))
        states = encode_rows(encoder, benchmark, rows).state
        scores = np.concatenate([encoder.attribute_scores(state[None]) for state in states])
        return grounding_precision(scores, present, benchmark.schema)

    bias = np.ones(len(benchmark.schema), dtype=np.float32)
    bias[[members[-1] for members in benchmark.schema.prompt_sets]] = 500  # whatever the photo, the last of each set
    grounding.scale(folder / "grounding.onnx", bias)
    renew_files(folder, ["grounding.onnx"])
    biased = precision()
    told = "\n".join(grounding.run(data, bundle=folder, dry=True, photos=32))
    assert precision() == biased
    told = "\n".join(grounding.run(data, bundle=folder, photos=32))
    assert "grounding.onnx is written" in told
    assert precision() > biased + 0.2
    mended = precision()
    list(grounding.run(data, bundle=folder, photos=32))  # a second time changes nothing
    assert precision() == pytest.approx(mended, abs=0.02)


def test_mistakes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--photos: got 1; allowed is 2 or more"):
        list(grounding.run(tmp_path, photos=1))
