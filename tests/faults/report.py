"""What a scenario tried and what came of it: a row of the table in docs/performance.md."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.faults import FOLDER
from tests.faults.server import Server

CEILING_MB = 400
"""Most resident memory of a service with the tiny bundle, whatever is done to it; idle it takes about 130 MB."""


@dataclass
class Row:
    """One scenario.

    Attributes:
        order: its place in the table.
        scenario, inputs: what was done, and how many times.
        answers: how many by status; others by a word, such as "closed" for a connection ended as it should be.
        unasked: answers of 500 or more that are not a deliberate 503: problem+json with its type and a Retry-After.
        lost: requests that should have been answered and were not.
        peak_mb: most resident memory of the service.
    """

    order: int
    scenario: str
    inputs: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    unasked: int = 0
    lost: int = 0
    peak_mb: float = 0.0

    def answer(self, answer: httpx.Response) -> int:
        """Count an answer; returns its status."""
        kind = answer.headers.get("content-type", "")
        return self.status(answer.status_code, deliberate="problem" in kind and "retry-after" in answer.headers)

    def status(self, status: int, *, deliberate: bool) -> int:
        """Count a status; `deliberate` says whether a 503 has what one needs."""
        self.answers[str(status)] += 1
        if status >= 500 and not (status == 503 and deliberate):
            self.unasked += 1
        return status

    def done(self, *services: Server) -> None:
        """Nothing was lost, nothing failed unasked, memory is within the ceiling; leave the row for the report."""
        self.peak_mb = max(service.peak_mb() for service in services)
        assert self.unasked == 0, self
        assert self.lost == 0, self
        assert self.peak_mb < CEILING_MB, self
        for service in services:
            assert "Traceback" not in service.log, service.log[-3000:]
        folder = os.environ.get(FOLDER)
        if folder:
            text = json.dumps(vars(self))
            (Path(folder) / f"{self.order:02}.json").write_text(text, encoding="utf-8")
