"""The correction for asking rare attributes more often: Bayes' rule, by an explicit loop."""

from __future__ import annotations

import pytest
import torch

from duet_core.sampling import TargetSampler, sampling_correction


def test_correction_is_the_share_in_the_classes_over_the_share_of_the_targets() -> None:
    present = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0]], dtype=torch.bool)
    degree = torch.tensor([[0.9, 0.8, 0.1, 0.0], [0.7, 0.2, 0.6, 0.1], [1.0, 0.9, 0.8, 0.2]])
    probabilities = TargetSampler(present=present).probabilities
    expected = []
    for attribute in range(3):
        asked = sum(float(probabilities[row, attribute]) for row in range(3)) / 3
        there = sum(float(degree[row, attribute]) for row in range(3) if present[row, attribute]) / 3
        expected.append(there / asked)
    correction = sampling_correction(present, degree, probabilities)
    assert correction.tolist() == pytest.approx([value / max(expected) for value in expected] + [0.0])
    assert float(correction.max()) == 1.0
    assert correction[0] > correction[2]  # the attribute of all classes was asked too seldom
