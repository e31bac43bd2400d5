"""What a model says of held-out photos: answers against loops, accuracies that average to U, S and T1, the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duet_core.benchmarks import load_xlsa17
from duet_core.judging.class_accuracy import class_accuracies
from duet_core.judging.held_out import HeldOut, judge_held_out
from duet_core.judging.names import family, readable, siblings
from duet_core.runtime import open_bundle
from tests.bird_benchmark import write_bird_benchmark, write_bird_bundle
from tests.duet_core.judging.made_held_out import NAMES, SEEN, UNSEEN, made_held_out
from tests.steps import finished
from tests.tiny_bundle import write_manifest, write_tiny_bundle


@pytest.mark.parametrize("seed", range(5))
def test_answers_are_the_highest_calibrated_scores(seed: int) -> None:
    made = made_held_out(seed)
    z = made.benchmark.classes.z.astype(np.float64)
    for place, v in enumerate(made.v.astype(np.float64)):
        calibrated = {c: float(v @ z[c]) - (made.gamma if c in SEEN else 0.0) for c in (*SEEN, *UNSEEN)}
        assert made.predicted[place] == max(calibrated, key=lambda c: calibrated[c])
        group = SEEN if made.label[place] in SEEN else UNSEEN
        assert made.predicted_in_group[place] == max(group, key=lambda c: float(v @ z[c]))


@pytest.mark.parametrize("seed", range(5))
def test_accuracies_of_classes_average_to_the_figures(seed: int) -> None:
    made = made_held_out(seed)
    classes = class_accuracies(made)
    seen, unseen = ([one for one in classes if one.seen is kind] for kind in (True, False))
    assert (len(seen), len(unseen)) == (len(SEEN), len(UNSEEN))
    assert np.mean([one.all_compete for one in seen]) == pytest.approx(made.metrics.S)
    assert np.mean([one.all_compete for one in unseen]) == pytest.approx(made.metrics.U)
    assert np.mean([one.own_group for one in unseen]) == pytest.approx(made.metrics.T1)
    for one in classes:
        label = [readable(name) for name in NAMES].index(one.name)
        answers = [p for p, truth in zip(made.predicted, made.label, strict=True) if truth == label]
        assert one.photos == len(answers)
        assert one.all_compete == pytest.approx(sum(answer == label for answer in answers) / len(answers))
    for group in (seen, unseen):
        assert [one.all_compete for one in group] == sorted((one.all_compete for one in group), reverse=True)


def test_names_and_siblings() -> None:
    assert readable("016.Painted_Bunting") == "Painted Bunting"
    assert readable("killer+whale") == "killer whale"
    assert family("190.Red_cockaded_Woodpecker") == "woodpecker"
    pairs = {(NAMES[a], NAMES[b]) for a, b in zip(*np.nonzero(siblings(NAMES)), strict=True) if a < b}
    assert ("001.Blue_Jay", "006.Florida_Jay") in pairs
    assert ("001.Blue_Jay", "003.Sedge_Wren") not in pairs
    assert len(pairs) == 3 + 3


def test_photos_are_encoded_once_for_a_bundle_and_its_photos(tmp_path: Path) -> None:
    data = load_xlsa17(write_bird_benchmark(tmp_path / "data"))
    bundle = open_bundle(write_bird_bundle(tmp_path / "bundle"))
    cache = tmp_path / "cache"
    lines, first = finished(judge_held_out(bundle, data, data.test_split(), cache))
    assert lines[0].startswith("tiny: 48 of 48 photos of seen classes encoded, ")
    assert len(list(cache.iterdir())) == 2
    again, second = finished(judge_held_out(bundle, data, data.test_split(), cache))
    assert again == []
    np.testing.assert_array_equal(first.v, second.v)
    np.testing.assert_array_equal(first.state, second.state)
    assert first.metrics == second.metrics
    photo = data.image_paths[data.test_split().seen_eval[0]]
    photo.write_bytes(photo.read_bytes() + b"\0")  # another size: another set of photos
    assert len(finished(judge_held_out(bundle, data, data.test_split(), cache))[0]) == 1
    other = open_bundle(_other_bundle(tmp_path / "other"))
    assert len(finished(judge_held_out(other, data, data.test_split(), cache))[0]) == 2


def _other_bundle(folder: Path) -> Path:
    write_tiny_bundle(folder)
    write_manifest(folder, training={"photos": 32}, model_id="other")
    return folder


def test_a_bundle_of_other_attributes_or_photos_is_refused(tmp_path: Path) -> None:
    data = load_xlsa17(write_bird_benchmark(tmp_path / "data"))
    bundle = open_bundle(write_bird_bundle(tmp_path / "bundle"))
    with pytest.raises(ValueError, match="trained on 32 photos, split 'validation' trains on"):
        next(judge_held_out(bundle, data, data.validation_split(), tmp_path))
    made = made_held_out(0)
    with pytest.raises(ValueError, match="has 12 attributes, made has 6"):
        next(judge_held_out(bundle, made.benchmark, made.split, tmp_path))
    assert isinstance(made, HeldOut)
