"""Partners where degrees are 0 or 1 and a prompt set may hold a single attribute, as in a knowledge graph (AWA2-KG)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from duet_core.attributes import AttributeSchema
from duet_core.sampling import ContrastSampler, TargetSampler, prune

SCHEMA = AttributeSchema.from_pairs(
    [
        *(("color", "black"), ("color", "white"), ("color", "brown"), ("lives in", "water"), ("eats", "fish")),
        *(("eats", "grass"), ("sub class of", "dog"), ("sub class of", "cat"), ("sub class of", "whale")),
    ]
)
PRESENT = torch.tensor(
    [
        [1, 1, 0, 0, 1, 0, 1, 0, 0],
        [1, 0, 0, 1, 1, 0, 1, 0, 0],
        [0, 1, 1, 0, 0, 1, 0, 1, 0],
        [0, 1, 1, 0, 0, 1, 0, 1, 0],  # as the class before in everything
        [1, 0, 0, 1, 0, 0, 0, 0, 1],  # no attribute of one prompt set, alone with another
    ]
).bool()
SETS = SCHEMA.prompt_index
ALONE = 3
"""The only attribute of its prompt set."""


def sampler(present: Tensor = PRESENT) -> ContrastSampler:
    images = list(torch.arange(5 * len(present)).view(-1, 5))
    return ContrastSampler(schema=SCHEMA, present=present, degree=present.float(), images_of_class=images)


def anchors() -> tuple[Tensor, Tensor]:
    classes, targets = PRESENT.nonzero(as_tuple=True)
    return classes, targets


def test_candidates_are_those_of_eqs_16_and_17() -> None:
    classes, targets = anchors()
    positives = sampler().positive_candidates(classes, targets)
    negatives = sampler().negative_candidates(classes, targets)
    for row, (c, t) in enumerate(zip(classes.tolist(), targets.tolist(), strict=True)):
        for rival in range(len(PRESENT)):
            has = bool(PRESENT[rival, t])
            instead = any(
                SETS[a] == SETS[t] and bool(PRESENT[rival, a]) and not bool(PRESENT[c, a]) for a in range(len(SCHEMA))
            )
            assert bool(positives[row, rival]) == (rival != c and has)
            assert bool(negatives[row, rival]) == (rival != c and not has and instead)
    assert positives.any()
    assert negatives.any()


def test_a_target_alone_in_its_prompt_set_has_no_negatives_and_is_skipped() -> None:
    classes, targets = torch.tensor([1, 4, 1]), torch.tensor([ALONE, ALONE, 0])
    found = sampler()
    assert not found.negative_candidates(classes[:2], targets[:2]).any()
    assert found.positive_candidates(classes[:2], targets[:2]).any(dim=1).all()
    partners = found.sample(classes, targets, torch.Generator().manual_seed(0))
    assert (partners.anchor.tolist(), partners.skipped) == ([2], 2)


def test_a_batch_without_any_candidate_gives_empty_partners() -> None:
    partners = sampler().sample(torch.tensor([1, 4]), torch.tensor([ALONE, ALONE]), torch.Generator().manual_seed(0))
    assert (partners.image.shape, partners.target.shape, partners.skipped) == ((0, 5), (0, 5), 2)


def test_every_partner_drawn_is_a_candidate_and_classes_without_difference_are_drawn_too() -> None:
    classes, targets = (part.repeat(200) for part in anchors())
    found = sampler()
    partners = found.sample(classes, targets, torch.Generator().manual_seed(1))
    own, asked = classes[partners.anchor], targets[partners.anchor]
    positive, negative = partners.class_index[:, 0], partners.class_index[:, 1:]
    assert found.positive_candidates(own, asked).gather(1, positive[:, None]).all()
    assert found.negative_candidates(own, asked).gather(1, negative).all()
    assert PRESENT[negative, partners.target[:, 1:]].all()
    assert not PRESENT[own[:, None], partners.target[:, 1:]].any()
    twins = (own == 2) & (positive == 3)
    assert twins.any()  # Dist is 0, floored: Eq. 20 would never draw them
    assert torch.isfinite(found.distance).all()
    assert (found.distance > 0).all()


def test_binary_distance_counts_the_attributes_that_differ() -> None:
    distance = sampler().distance
    differing = (PRESENT[:, None] != PRESENT[None]).sum(dim=2)
    assert torch.equal(distance[differing > 0], differing[differing > 0].double())
    assert distance[2, 3] == differing[differing > 0].min()


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_targets_and_pruning_keep_to_the_classes_own(ratio: float) -> None:
    generator = torch.Generator().manual_seed(2)
    classes = torch.arange(len(PRESENT)).repeat(100)
    targets = TargetSampler(present=PRESENT).sample(classes, generator)
    kept = prune(PRESENT[classes], targets, ratio, generator)
    assert kept.gather(1, targets[:, None]).all()
    assert not (kept & ~PRESENT[classes]).any()
    assert set(targets[classes == 4].tolist()) == {0, ALONE, 8}
