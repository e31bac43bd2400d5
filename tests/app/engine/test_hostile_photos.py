"""Every hostile photo becomes pixels or is refused with the right reason: nothing else is raised, time is bounded."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from duet_core.runtime import Preprocessing
from duet_core.runtime.photos import PhotoLimits, PhotoRefused, photo_pixels
from tests.app.engine.hostile_photos import GROUPS, PIXELS, fits

LIMITS = PhotoLimits(pixels=25_000_000, side=10_000, aspect=50, memory=256 * 2**20)
PREPARE = Preprocessing(size=64, resize=72, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
MOST_SECONDS = 5
"""Time of a processor, which other programs do not lengthen; the largest take about one second."""


def outcome(data: bytes) -> str:
    """What comes of a file: PIXELS, or the reason of the refusal."""
    try:
        pixels = photo_pixels(data, prepare=PREPARE, limits=LIMITS, side=PREPARE.resize)
    except PhotoRefused as refused:
        return refused.reason
    assert pixels.shape == (3, 64, 64)
    assert 0 <= pixels.min() <= pixels.max() <= 1
    return PIXELS


@pytest.mark.parametrize(
    "group", [pytest.param(name, marks=pytest.mark.slow if name == "bomb" else ()) for name in GROUPS]
)
def test_hostile_photos_are_refused_or_decoded(group: str) -> None:
    wrong, slow = [], []
    for name, data, expected in GROUPS[group]():
        start = time.thread_time()
        got = outcome(data)  # anything but a refusal that is raised fails the test
        if time.thread_time() - start > MOST_SECONDS:
            slow.append(name)
        if not fits(expected, got):
            wrong.append(f"{name}: {got}, not {expected}")
    assert not wrong
    assert not slow


@pytest.mark.slow
def test_the_corpus_has_no_name_twice() -> None:
    names = Counter(name for group in GROUPS.values() for name, _, _ in group())
    assert max(names.values()) == 1
    assert len(names) > 350
