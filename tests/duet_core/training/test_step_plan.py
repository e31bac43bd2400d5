"""Step plans: whose photos they show, that they repeat by generator, and that their indices belong together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.config import SamplingConfig
from duet_core.experiment import Experiment
from duet_core.step_plan import StepPlan, StepPlanner, epoch_batches
from tests.duet_core.tiny_world import TinyWorld


def planner(experiment: Experiment, split: str, **sampling: object) -> StepPlanner:
    return StepPlanner(
        benchmark=experiment.benchmark,
        split=experiment.split(split),
        sampling=SamplingConfig(**sampling),  # type: ignore[arg-type]
        tokenizer=experiment.tokenizer,
        max_tokens=40,
    )


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def experiment(tiny_world: TinyWorld) -> Experiment:
    return tiny_world.experiment()


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("stage", ["CLS", "CSG"])
def test_every_photo_of_a_step_is_a_training_photo_of_the_split(experiment: Experiment, split: str, stage: str) -> None:
    made, parts = planner(experiment, split), experiment.split(split)
    every = torch.arange(len(parts.train))
    shown: set[int] = set()
    for seed in range(30):
        shown |= set(made.plan(every, stage, generator(seed)).photos.tolist())  # type: ignore[arg-type]
    assert shown == set(parts.train.tolist())
    assert not shown & {*parts.seen_eval.tolist(), *parts.unseen_eval.tolist()}


@pytest.mark.parametrize("stage", ["CLS", "CSG"])
def test_labels_are_the_classes_of_the_photos(experiment: Experiment, stage: str) -> None:
    made, parts = planner(experiment, "test"), experiment.split("test")
    plan = made.plan(torch.tensor([0, 7, 12, 20]), stage, generator(0))  # type: ignore[arg-type]
    truth = experiment.benchmark.labels[plan.photos.numpy()]
    np.testing.assert_array_equal(parts.seen_classes[plan.label.numpy()], truth)
    assert plan.photos[: plan.anchors].tolist() == made.train_rows[[0, 7, 12, 20]].tolist()


def test_positives_are_other_photos_of_the_same_class(experiment: Experiment) -> None:
    for positives in ("drawn", "in_batch"):
        made = planner(experiment, "test", positives=positives)
        for batch in epoch_batches(made.train_labels, batch_size=6, paired=made.paired, generator=generator(1)):
            plan = made.plan(batch, "CLS", generator(2))
            assert plan.positive is not None
            assert torch.equal(plan.label[plan.positive], plan.label[: plan.anchors])
            assert (plan.photos[plan.positive] != plan.photos[: plan.anchors]).all()


def test_fewer_anchors_may_get_a_positive(experiment: Experiment) -> None:
    plan = planner(experiment, "test", con_anchors=2).plan(torch.arange(5), "CLS", generator(0))
    assert plan.positive is not None
    assert plan.positive.tolist() == [5, 6]
    assert len(plan.photos) == len(plan.label) == 7


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(2, 7), min_size=1, max_size=5),
    pairs=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_paired_epochs_show_every_photo_beside_another_of_its_class(counts: list[int], pairs: int, seed: int) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    batches = epoch_batches(labels, batch_size=2 * pairs, paired=True, generator=generator(seed))
    assert set(torch.cat(batches).tolist()) == set(range(len(labels)))
    assert sum(map(len, batches)) == sum(count + count % 2 for count in counts)
    for batch in batches:
        assert len(batch) <= 2 * pairs
        first, second = batch.view(-1, 2).unbind(dim=1)
        assert (first != second).all()
        assert torch.equal(labels[first], labels[second])


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 40), size=st.integers(1, 9), seed=st.integers(0, 1000))
def test_epochs_show_every_photo_once_and_never_one_alone(count: int, size: int, seed: int) -> None:
    batches = epoch_batches(torch.zeros(count), batch_size=size, paired=False, generator=generator(seed))
    assert sorted(torch.cat(batches).tolist()) == list(range(count))
    assert all(len(batch) == size for batch in batches[:-1])
    assert size == 1 or count == 1 or len(batches[-1]) > 1


@pytest.mark.parametrize("stage", ["CLS", "CSG"])
def test_plans_repeat_by_generator(experiment: Experiment, stage: str) -> None:
    made = planner(experiment, "test")
    first, again, other = (made.plan(torch.arange(8), stage, generator(seed)) for seed in (4, 4, 5))  # type: ignore[arg-type]
    assert torch.equal(first.photos, again.photos)
    assert not torch.equal(first.photos, other.photos)
    if stage == "CSG":
        assert first.grounding is not None
        assert again.grounding is not None
        assert torch.equal(first.grounding.sentences.input_ids, again.grounding.sentences.input_ids)


def test_stages_are_drawn_with_probability_rho(experiment: Experiment) -> None:
    for rho, low, high in ((0.0, 0.0, 0.0), (0.4, 0.35, 0.45), (1.0, 1.0, 1.0)):
        made = planner(experiment, "test", rho=rho)
        share = np.mean([made.draw_stage(generator(seed)) == "CSG" for seed in range(1500)])
        assert low <= share <= high


def sentence_class(experiment: Experiment, plan: StepPlan, sentence: int) -> tuple[int, int]:
    """(class row among the seen, attribute) that a sentence speaks of, read back from its words."""
    assert plan.grounding is not None
    batch = plan.grounding.sentences
    ids = torch.where(batch.labels[sentence] >= 0, batch.labels[sentence], batch.input_ids[sentence])
    attributes = experiment.benchmark.schema.attributes
    names = [experiment.tokenizer(attribute.name, add_special_tokens=False)["input_ids"] for attribute in attributes]
    (target,) = [row for row, name in enumerate(names) if name == ids[batch.target_mask[sentence]].tolist()]
    return int(plan.label[plan.grounding.image[sentence]]), target


@pytest.mark.parametrize("sizes", [{}, {"csg_anchors": 5, "acl_anchors": 3}, {"acl_anchors": 0}])
def test_grounding_indices_belong_together(experiment: Experiment, sizes: dict[str, int]) -> None:
    made, parts = planner(experiment, "test", **sizes), experiment.split("test")
    classes = experiment.benchmark.classes
    present, degree = classes.present[parts.seen_classes], classes.degree[parts.seen_classes]
    plan = made.plan(torch.arange(0, 24, 2), "CSG", generator(3))
    grounding = plan.grounding
    assert grounding is not None
    masked, count = len(grounding.degree), len(grounding.sentences)
    asked = min(sizes.get("acl_anchors", masked), masked)
    assert masked == sizes.get("csg_anchors", plan.anchors)
    assert len(grounding.acl_anchor) + grounding.skipped == asked
    assert len(grounding.acl_anchor) > 0 or asked == 0
    assert count == masked + 5 * len(grounding.acl_anchor)
    spoken = [sentence_class(experiment, plan, row) for row in range(count)]
    for row, (label, target) in enumerate(spoken):
        assert present[label, target]
        assert bool((grounding.sentences.labels[row] >= 0).any()) == (row < masked)
        if row < masked:
            assert int(grounding.image[row]) == row
            assert float(grounding.degree[row]) == pytest.approx(degree[label, target])
    prompt = experiment.benchmark.schema.prompt_index
    for anchor, partners, weight in zip(
        grounding.acl_anchor.tolist(), grounding.acl_partner.tolist(), grounding.acl_weight.tolist(), strict=True
    ):
        (label, target), (like, same), *others = (spoken[row] for row in (anchor, *partners))
        assert same == target
        assert like != label
        assert weight == pytest.approx(min(degree[label, target], degree[like, target]))
        for rival, attribute in others:
            assert rival != label
            assert prompt[attribute] == prompt[target]
            assert not present[label, attribute]
            assert not present[rival, target]
    shown = grounding.image[masked:].tolist()
    assert shown == list(range(plan.anchors, len(plan.photos)))


def test_without_attribute_contrast_no_partner_is_drawn_and_nothing_else_changes(tiny_world: TinyWorld) -> None:
    made = [tiny_world.experiment(loss__lambda_acl=weight) for weight in (0.0, 0.001)]
    alone, plain = (one.planner(one.split("test")) for one in made)
    few = alone.plan(torch.arange(8), "CSG", generator(4))
    every = plain.plan(torch.arange(8), "CSG", generator(4))
    asked = planner(made[0], "test").plan(torch.arange(8), "CSG", generator(4))  # whose default is that of λ_acl > 0
    assert few.grounding is not None
    assert every.grounding is not None
    assert asked.grounding is not None
    assert few.photos.tolist() == alone.train_rows[:8].tolist()
    assert len(few.grounding.sentences) == 8 < len(every.grounding.sentences)
    assert few.grounding.skipped == len(few.grounding.acl_anchor) == 0
    assert torch.equal(few.grounding.degree, every.grounding.degree)  # the targets are drawn first
    assert torch.equal(every.photos, asked.photos)
    assert torch.equal(every.grounding.sentences.input_ids, asked.grounding.sentences.input_ids)
