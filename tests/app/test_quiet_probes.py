"""Probes that were answered are not in the access log; everything else is."""

from __future__ import annotations

import logging

import pytest

from app.quiet_probes import QuietProbes


@pytest.mark.parametrize(
    ("path", "status", "is_written"),
    [
        ("/readyz", 200, False),
        ("/livez", 200, False),
        ("/metrics?name=x", 200, False),
        ("/readyz", 503, True),
        ("/classify", 200, True),
        ("/readyz/more", 404, True),
        ("/classes?q=/readyz", 200, True),
    ],
)
def test_a_probe_is_written_when_it_failed(path: str, status: int, is_written: bool) -> None:
    record = logging.getLogger("uvicorn.access").makeRecord(
        "uvicorn.access",
        logging.INFO,
        __file__,
        1,
        '%s - "%s %s HTTP/%s" %d',
        ("1.2.3.4:5", "GET", path, "1.1", status),
        None,
    )
    assert QuietProbes().filter(record) == is_written


def test_other_records_are_written() -> None:
    record = logging.getLogger("uvicorn.access").makeRecord("x", logging.INFO, __file__, 1, "started", (), None)
    assert QuietProbes().filter(record)
