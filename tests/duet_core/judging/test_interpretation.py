"""Interpretation sheets: which photos are shown, and what stands beside the fillings of the masks."""

from __future__ import annotations

import numpy as np
import pytest

from duet_core.benchmarks import load_xlsa17
from duet_core.judging.held_out import HeldOut, judge_held_out
from duet_core.judging.interpretation import PhotoChoiceError, agreement, draw_places, find_places, sheet_sets, sheets
from duet_core.runtime import Bundle, Encoder, open_bundle
from tests.bird_benchmark import write_bird_benchmark, write_bird_bundle
from tests.duet_core.judging.made_held_out import made_held_out
from tests.steps import finished


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[HeldOut, Bundle]:
    folder = tmp_path_factory.mktemp("world")
    data = load_xlsa17(write_bird_benchmark(folder / "data"))
    bundle = open_bundle(write_bird_bundle(folder / "bundle"))
    return finished(judge_held_out(bundle, data, data.test_split(), folder / "cache"))[1], bundle


def test_photos_are_drawn_half_and_half_by_the_seed_alone() -> None:
    made, other = made_held_out(0), made_held_out(1)
    drawn = draw_places(made, 5, seed=4)
    assert made.is_seen[drawn].tolist() == [True, True, True, False, False]
    assert len(set(drawn.tolist())) == 5
    np.testing.assert_array_equal(drawn, draw_places(other, 5, seed=4))  # whatever the model says
    assert drawn.tolist() != draw_places(made, 5, seed=5).tolist()
    assert len(draw_places(made, 999, seed=0)) == len(made.label)
    assert len(draw_places(made, 0, seed=0)) == 0


def test_photos_are_found_by_name_among_the_held_out_ones_only() -> None:
    made = made_held_out(0)
    row = int(made.rows[3])
    path = made.benchmark.image_paths[row]
    assert find_places(made, [f"{path.parent.name}/{path.name}", path.name]).tolist() == [3, 3]
    trained = made.benchmark.image_paths[int(made.split.train[0])]
    with pytest.raises(PhotoChoiceError, match="no held-out photo is called so; give one of the 59 such as"):
        find_places(made, [trained.name])


def test_a_name_of_several_photos_needs_its_class(world: tuple[HeldOut, Bundle]) -> None:
    with pytest.raises(PhotoChoiceError, match="several held-out photos are called so"):
        find_places(world[0], ["9.jpg"])


def test_a_sheet_holds_the_three_best_and_the_degrees_of_the_class(world: tuple[HeldOut, Bundle]) -> None:
    held_out, bundle = world
    classes, schema = held_out.benchmark.classes, held_out.benchmark.schema
    places = find_places(held_out, ["001.red-bird/9.jpg", "005.all-blue/3.jpg"])
    found = sheets(held_out, bundle, places)
    assert [(one.true_class, one.seen) for one in found] == [("red-bird", True), ("all-blue", False)]
    scores = Encoder(bundle).attribute_scores(held_out.state[places])
    for sheet, own in zip(found, scores, strict=True):
        label = [name[4:] for name in classes.names].index(sheet.true_class)
        assert held_out.benchmark.labels[sheet.row] == label
        for one, members in zip(sheet.sets, schema.prompt_sets, strict=True):
            ordered = sorted(members, key=lambda row: -own[row])[:3]
            assert [a.name for a in one.attributes] == [schema.attributes[row].name for row in ordered]
            assert sum(a.score for a in one.attributes) == pytest.approx(1)
            for attribute, row in zip(one.attributes, ordered, strict=True):
                assert attribute.score == pytest.approx(own[row] / own[ordered].sum(), rel=1e-5)
                assert attribute.degree == pytest.approx(float(classes.degree[label, row]))
                assert attribute.agrees == bool(classes.present[label, row])
            assert one.missed is None  # every set of the tiny schema has three attributes
    assert found[0].sets[0].attributes[0].name == "red"
    assert found[0].sets[0].attributes[0].agrees
    assert found[0].right
    assert 0 < found[0].probability <= 1
    assert found[0].agreeing_first == sum(one.attributes[0].agrees for one in found[0].sets)


def test_agreement_is_counted_over_all_photos(world: tuple[HeldOut, Bundle]) -> None:
    held_out, bundle = world
    rates = agreement(held_out, bundle)
    places = np.flatnonzero(~held_out.is_seen)
    hits = [one.attributes[0].agrees for sheet in sheets(held_out, bundle, places) for one in sheet.sets]
    assert rates["unseen"] == pytest.approx(np.mean(hits))
    assert set(rates) == {"seen", "unseen", "seen_most_frequent", "unseen_most_frequent"}


@pytest.mark.parametrize("label", range(7))
def test_the_strongest_attribute_of_the_class_is_told_when_it_is_not_among_the_best(label: int) -> None:
    made = made_held_out(0)
    degree = made.benchmark.classes.degree[label]
    color, size = sheet_sets(made, np.array([0.1, 0.4, 0.3, 0.2, 0.5, 0.5], dtype=np.float32), label)
    assert [one.name for one in color.attributes] == ["green", "brown", "red"]
    strongest = int(degree[:4].argmax())
    assert color.missed == (("blue", float(degree[0])) if strongest == 0 else None)
    assert (len(size.attributes), size.missed) == (2, None)


def test_some_class_misses_its_strongest_attribute() -> None:
    degrees = made_held_out(0).benchmark.classes.degree[:, :4]
    assert 0 < (degrees.argmax(axis=1) == 0).sum() < len(degrees)  # so that the test above tells the two apart
