"""The numbers of the report's figures: AUROC of attributes, confusions, projection, against slow definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from duet_core.judging.attribute_accuracy import attribute_accuracies, prompt_accuracies
from duet_core.judging.confusion import confusions
from duet_core.judging.names import family, readable
from duet_core.judging.projection import principal_axes, project_unseen
from tests.duet_core.judging.made_held_out import NAMES, SCHEMA, SEEN, UNSEEN, made_held_out


@pytest.mark.parametrize("seed", range(4))
def test_attribute_accuracy_is_the_share_of_pairs_of_photos_in_order(seed: int) -> None:
    made = made_held_out(seed)
    present = made.benchmark.classes.present
    for row, one in enumerate(attribute_accuracies(made)):
        assert (one.key, one.prompt) == (SCHEMA.keys[row], SCHEMA.attributes[row].prompt)
        for photos, value, count, classes in (
            (made.seen, one.seen, one.classes_seen, SEEN),
            (made.unseen, one.unseen, one.classes_unseen, UNSEEN),
        ):
            assert count == sum(present[c, row] for c in classes)
            has = [v[row] for v, c in zip(photos.v, photos.label, strict=True) if present[c, row]]
            lacks = [v[row] for v, c in zip(photos.v, photos.label, strict=True) if not present[c, row]]
            if not has or not lacks:
                assert value is None
                continue
            order = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(has, lacks)]
            assert value == pytest.approx(np.mean(order))


def test_prompt_sets_are_the_means_of_their_attributes() -> None:
    attributes = attribute_accuracies(made_held_out(1))
    prompts = prompt_accuracies(attributes)
    assert {one.prompt for one in prompts} == {"color", "size"}
    for one in prompts:
        values = [a.unseen for a in attributes if a.prompt == one.prompt and a.unseen is not None]
        assert one.unseen == (pytest.approx(np.mean(values)) if values else None)
    known = [one.unseen for one in prompts if one.unseen is not None]
    assert known == sorted(known, reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_confusions_count_answers_by_true_class(seed: int) -> None:
    made = made_held_out(seed)
    found = confusions(made)
    order = [*SEEN, *UNSEEN]
    assert found.names == tuple(readable(NAMES[c]) for c in order)
    answers = list(zip(made.label.tolist(), made.predicted.tolist(), strict=True))
    for i, j in itertools.product(range(len(order)), repeat=2):
        of_class = [answer for truth, answer in answers if truth == order[i]]
        assert found.share[i, j] == pytest.approx(sum(a == order[j] for a in of_class) / len(of_class))
    wrong = [(truth, answer) for truth, answer in answers if truth != answer]
    to_sibling = [family(NAMES[t]) == family(NAMES[a]) for t, a in wrong]
    assert found.errors == len(wrong) > 0
    assert found.errors_to_siblings == pytest.approx(np.mean(to_sibling))
    chance = [sum(family(NAMES[c]) == family(NAMES[t]) for c in order if c != t) / (len(order) - 1) for t, _ in wrong]
    assert found.siblings_by_chance == pytest.approx(np.mean(chance))


def test_pairs_are_ranked_by_both_directions_and_tell_cosine_and_family() -> None:
    made = made_held_out(2)
    found = confusions(made)
    pairs = found.pairs(99)
    mutual = [one.mutual for one in pairs]
    assert mutual == sorted(mutual, reverse=True)
    assert min(mutual) > 0
    z = made.benchmark.classes.z
    row = {readable(name): place for place, name in enumerate(NAMES)}
    for one in pairs:
        first, second = row[one.first], row[one.second]
        assert one.first_as_second >= one.second_as_first
        assert one.cosine == pytest.approx(float(z[first] @ z[second]), abs=1e-6)
        assert one.siblings == (family(NAMES[first]) == family(NAMES[second]))
        assert (one.first_seen, one.second_seen) == (first in SEEN, second in SEEN)
    assert found.pairs(99, siblings_only=True) == [one for one in pairs if one.siblings]
    shown = [found.names[place] for place in found.of_top_pairs(5)]
    assert 2 <= len(shown) <= 5
    assert {pairs[0].first, pairs[0].second} <= set(shown)


def test_principal_axes_are_those_of_the_covariance() -> None:
    points = np.random.default_rng(0).normal(size=(30, 4)) * (3.0, 1.0, 0.5, 0.1)
    axes, explained = principal_axes(points)
    values, vectors = np.linalg.eigh(np.cov(points.T))
    for place in (0, 1):
        assert abs(float(axes[place] @ vectors[:, -1 - place])) == pytest.approx(1)
        assert explained[place] == pytest.approx(values[-1 - place] / values.sum())
        assert axes[place][np.abs(axes[place]).argmax()] > 0


def test_photos_lie_on_the_axes_of_the_unseen_classes() -> None:
    made = made_held_out(3)
    found = project_unseen(made)
    z = made.benchmark.classes.z[list(UNSEEN)].astype(np.float64)
    axes, explained = principal_axes(z)
    np.testing.assert_allclose(found.explained_classes, explained)
    units = np.array([v / np.linalg.norm(v) for v in made.unseen.v.astype(np.float64)])
    for place, unit in enumerate(units):
        np.testing.assert_allclose(found.photos[place], [axis @ (unit - units.mean(axis=0)) for axis in axes])
        assert found.rows[found.label[place]] == made.unseen.label[place]
    np.testing.assert_allclose(found.classes, [[axis @ (row - z.mean(axis=0)) for axis in axes] for row in z])
    assert 0 < found.explained_photos.sum() <= 1
