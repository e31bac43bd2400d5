"""The places in the service."""

from __future__ import annotations

import contextlib

import pytest

from app.engine.admission import Admission, Overloaded
from app.metrics import Metrics


def test_admission_counts_photos_and_says_when_to_come_back() -> None:
    admission = Admission(limit=2, metrics=Metrics())
    for _ in range(200):
        admission.observe(3.0)
    with admission.place():
        with contextlib.suppress(ValueError), admission.place():
            with pytest.raises(Overloaded) as caught:
                admission.place().__enter__()
            assert 6 <= caught.value.retry_after <= 9
            raise ValueError("a place is given back whatever happens")
        with admission.place():
            pass
