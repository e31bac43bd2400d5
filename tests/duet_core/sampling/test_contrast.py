"""Partners against Eqs. 16-20: explicit loops for the candidates, frequencies for the draws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from duet_core.attributes import AttributeSchema
from duet_core.sampling import ContrastSampler, Partners
from duet_core.sampling.contrast import Candidates

SCHEMA = AttributeSchema.from_pairs([(f"part {a % 3}", f"look {a}") for a in range(9)])
SETS = [a % 3 for a in range(9)]


def world(classes: int, seed: int, share: float = 0.5) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Attribute sets, degrees and photos (4 to 6 for each class, shuffled over the data set) of some classes."""
    g = torch.Generator().manual_seed(seed)
    present = torch.rand(classes, 9, generator=g) < share
    present[torch.arange(classes), torch.randint(0, 9, (classes,), generator=g)] = True
    degree = torch.rand(classes, 9, generator=g)
    counts = [4 + row % 3 for row in range(classes)]
    images = list(torch.split(torch.randperm(sum(counts) + 7, generator=g)[: sum(counts)], counts))
    return present, degree, images


def sampler_of(parts: tuple[Tensor, Tensor, list[Tensor]], candidates: Candidates = "eq17") -> ContrastSampler:
    present, degree, images = parts
    return ContrastSampler(schema=SCHEMA, present=present, degree=degree, images_of_class=images, candidates=candidates)


def negative_attributes(present: Tensor, c: int, t: int, rival: int) -> list[int]:
    return [a for a in range(9) if SETS[a] == SETS[t] and present[rival, a] and not present[c, a]]


def is_negative(present: Tensor, c: int, t: int, rival: int, candidates: Candidates) -> bool:
    """Eqs. 16 and 17 word for word; under "disjoint" also nothing of the target's set in common."""
    if rival == c or present[rival, t] or not negative_attributes(present, c, t, rival):
        return False
    shared = any(SETS[a] == SETS[t] and present[rival, a] and present[c, a] for a in range(9))
    return candidates == "eq17" or not shared


def distance_by_loop(degree: Tensor) -> list[list[float]]:
    rows = degree.tolist()
    return [[sum(abs(x - y) for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]


def every_anchor(present: Tensor) -> tuple[Tensor, Tensor]:
    class_index, target = present.nonzero(as_tuple=True)
    return class_index, target


@pytest.mark.parametrize("candidates", ["eq17", "disjoint"])
def test_candidates_equal_the_loop(candidates: Candidates) -> None:
    parts = world(7, seed=1)
    present, sampler = parts[0], sampler_of(parts, candidates)
    class_index, target = every_anchor(present)
    positive, negative = (
        sampler.positive_candidates(class_index, target),
        sampler.negative_candidates(class_index, target),
    )
    assert negative.any()
    for row, (c, t) in enumerate(zip(class_index.tolist(), target.tolist(), strict=True)):
        assert positive[row].tolist() == [other != c and bool(present[other, t]) for other in range(7)]
        assert negative[row].tolist() == [is_negative(present, c, t, other, candidates) for other in range(7)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distance_equals_the_loop(dtype: torch.dtype) -> None:
    present, degree, images = world(6, seed=2)
    sampler = sampler_of((present, degree.to(dtype), images))
    apart = ~torch.eye(6, dtype=torch.bool)
    expected = torch.tensor(distance_by_loop(degree.to(dtype)), dtype=torch.float64)
    assert torch.allclose(sampler.distance[apart], expected[apart])


def assert_admissible(partners: Partners, parts: tuple[Tensor, Tensor, list[Tensor]], c: Tensor, t: Tensor) -> None:
    """Eqs. 16 and 17 and A.5 hold for every partner."""
    present, _, images = parts
    for row, anchor in enumerate(partners.anchor.tolist()):
        own, asked = int(c[anchor]), int(t[anchor])
        like, *rivals = partners.class_index[row].tolist()
        photos = partners.image[row].tolist()
        assert present[like, asked]
        assert like != own
        assert partners.target[row, 0] == asked
        for rival, attribute in zip(rivals, partners.target[row, 1:].tolist(), strict=True):
            assert is_negative(present, own, asked, rival, "eq17")
            assert attribute in negative_attributes(present, own, asked, rival)
        assert rivals[0] == rivals[1]
        assert rivals[2] == rivals[3]
        possible = [x for x in range(len(present)) if is_negative(present, own, asked, x, "eq17")]
        assert (rivals[0] == rivals[2]) == (len(possible) == 1)
        assert len(set(photos)) == 5
        assert all(p in images[k].tolist() for p, k in zip(photos, [like, *rivals], strict=True))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 500), st.sampled_from([0.1, 0.3, 0.5, 0.8]))
def test_every_partner_is_admissible_and_the_rest_is_counted(classes: int, seed: int, share: float) -> None:
    parts = world(classes, seed, share)
    c, t = every_anchor(parts[0])
    sampler = sampler_of(parts)
    partners = sampler.sample(c, t, torch.Generator().manual_seed(seed))
    assert_admissible(partners, parts, c, t)
    complete = sampler.positive_candidates(c, t).any(dim=1) & sampler.negative_candidates(c, t).any(dim=1)
    assert partners.anchor.tolist() == complete.nonzero().flatten().tolist()
    assert partners.skipped == len(c) - int(complete.sum())
    again = sampler.sample(c, t, torch.Generator().manual_seed(seed))
    assert torch.equal(again.image, partners.image)
    assert torch.equal(again.target, partners.target)


def assert_follows(drawn: Tensor, expected: list[float]) -> None:
    probability = torch.tensor(expected, dtype=torch.float64)
    probability /= probability.sum()
    share = drawn.bincount(minlength=len(expected)) / len(drawn)
    assert (share[probability == 0] == 0).all()
    assert ((share - probability).abs() <= 5 * (probability * (1 - probability) / len(drawn)).sqrt() + 1e-12).all()


def test_draws_follow_eqs_19_and_20() -> None:
    parts = world(9, seed=4)
    present, degree, images = parts
    sampler, draws = sampler_of(parts), 20_000
    class_index, target = every_anchor(present)
    enough = (sampler.positive_candidates(class_index, target).sum(dim=1) >= 3) & (
        sampler.negative_candidates(class_index, target).sum(dim=1) >= 3
    )
    row = int(enough.nonzero()[0])
    c, t = int(class_index[row]), int(target[row])
    g = torch.Generator().manual_seed(11)
    partners = sampler.sample(torch.full((draws,), c), torch.full((draws,), t), g)
    away = distance_by_loop(degree)[c]
    like, first, second = partners.class_index[:, [0, 1, 3]].unbind(dim=1)
    assert_follows(like, [away[k] ** 2 if k != c and present[k, t] else 0.0 for k in range(9)])
    similar = [1 / away[k] ** 2 if is_negative(present, c, t, k, "eq17") else 0.0 for k in range(9)]
    assert_follows(first, similar)
    taken = int(first.mode().values)
    assert_follows(second[first == taken], [0.0 if k == taken else weight for k, weight in enumerate(similar)])
    admissible = negative_attributes(present, c, t, taken)
    assert_follows(partners.target[first == taken, 1], [float(a in admissible) for a in range(9)])
    photos = images[taken].tolist()
    pairs = partners.image[first == taken, 1:3]
    assert_follows(pairs.flatten(), [float(image in photos) for image in range(int(torch.cat(images).max()) + 1)])


def tiny(degree: list[list[float]]) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Class 0 has look 0, so have classes 1 and 2; classes from 3 on have look 3 of the same part instead."""
    present = torch.zeros(len(degree), 9, dtype=torch.bool)
    present[:3, 0] = True
    present[3:, 3] = True
    rows = torch.zeros(len(degree), 9)
    rows[:, :1] = torch.tensor(degree)
    return present, rows, [torch.arange(4) + 4 * k for k in range(len(degree))]


def test_a_lone_negative_class_gives_four_photos() -> None:
    sampler = sampler_of(tiny([[1.0], [0.9], [0.8], [0.1]]))
    partners = sampler.sample(torch.tensor([0]), torch.tensor([0]), torch.Generator().manual_seed(1))
    assert partners.class_index[0, 1:].tolist() == [3, 3, 3, 3]
    assert sorted(partners.image[0, 1:].tolist()) == [12, 13, 14, 15]


def test_classes_of_equal_degrees_count_as_the_nearest_pair() -> None:
    parts = tiny([[0.5], [0.5], [0.75], [0.5], [1.0]])
    sampler = sampler_of(parts)
    assert sampler.distance[0].tolist() == pytest.approx([0.25, 0.25, 0.25, 0.25, 0.5])
    draws = 5000
    zeros = torch.zeros(draws, dtype=torch.int64)
    partners = sampler.sample(zeros, zeros, torch.Generator().manual_seed(2))
    assert partners.skipped == 0
    assert_follows(partners.class_index[:, 0], [0, 1, 1, 0, 0])
    assert_follows(partners.class_index[:, 1], [0, 0, 0, 1 / 0.25**2, 1 / 0.5**2])


def test_all_degrees_equal_still_draws() -> None:
    zero = torch.tensor([0])
    partners = sampler_of(tiny([[0.5]] * 5)).sample(zero, zero, torch.Generator().manual_seed(3))
    assert partners.anchor.tolist() == [0]


def test_batch_positives_are_other_photos_of_the_class() -> None:
    parts = world(3, seed=6)
    sampler, draws = sampler_of(parts), 4000
    for row, images in enumerate(parts[2]):
        classes, anchor = torch.full((draws,), row), images[1].repeat(draws)
        drawn = sampler.sample_positive(classes, anchor, torch.Generator().manual_seed(row))
        others = set(images.tolist()) - {int(images[1])}
        assert_follows(drawn, [float(image in others) for image in range(int(torch.cat(parts[2]).max()) + 1)])
    with pytest.raises(ValueError, match="is no training photo of class row 0"):
        sampler.sample_positive(torch.tensor([0]), parts[2][1][:1], torch.Generator())


def test_refuses_what_does_not_fit() -> None:
    present, degree, images = world(3, seed=7)
    with pytest.raises(ValueError, match=r"class row 1 has photos .* needs at least 4"):
        sampler_of((present, degree, [images[0], images[1][:3], images[2]]))
    with pytest.raises(ValueError, match="none twice"):
        sampler_of((present, degree, [images[0], images[1][[0, 1, 2, 3, 0]], images[2]]))
    with pytest.raises(ValueError, match=r"expected \(C, A\) torch.bool"):
        sampler_of((present, degree[:, :5], images))
    with pytest.raises(ValueError, match="allowed are eq17, disjoint"):
        sampler_of((present, degree, images), "eq16")  # type: ignore[arg-type]
    absent = (~present).nonzero()[0]
    with pytest.raises(ValueError, match="is not present in class row"):
        sampler_of((present, degree, images)).sample(absent[:1], absent[1:], torch.Generator())
