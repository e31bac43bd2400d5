"""Metrics that are read off the running service when somebody asks, so that none of them can be out of date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from app.service import Service

_SPACE = ("space",)


def _no_service() -> Service | None:
    return None


class LiveMetrics(Collector):
    """Readiness, what class spaces are served, and the recent decisions. To be collected where the service runs.

    `service` says which service there is now, or None; then only `duet_ready` has a value.
    """

    def __init__(self) -> None:
        self.service: Callable[[], Service | None] = _no_service

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics at this moment."""
        service = self.service()
        ready = GaugeMetricFamily("duet_ready", "1 when photos can be classified, as /readyz says; else 0.")
        ready.add_metric((), 0 if service is None or service.not_ready() else 1)
        yield ready
        yield from self._spaces(service)
        yield from self._decisions(service)

    def _spaces(self, service: Service | None) -> Iterator[GaugeMetricFamily]:
        revision = GaugeMetricFamily("duet_registry_revision", "Revision served, by class space.", labels=_SPACE)
        age = GaugeMetricFamily(
            "duet_registry_age_seconds",
            "Seconds since the store confirmed the snapshot, by class space.",
            labels=_SPACE,
        )
        behind = GaugeMetricFamily(
            "duet_registry_revisions_behind",
            "Revisions the store is known to be ahead of what is served, by class space.",
            labels=_SPACE,
        )
        for progress in service.follower.progress() if service is not None else ():
            revision.add_metric((progress.space,), progress.revision)
            age.add_metric((progress.space,), progress.age)
            behind.add_metric((progress.space,), progress.behind)
        yield from (revision, age, behind)

    def _decisions(self, service: Service | None) -> Iterator[GaugeMetricFamily]:
        rate = GaugeMetricFamily("duet_reject_rate", "Share of the last 1,000 decisions that were 'none of these'.")
        drift = GaugeMetricFamily(
            "duet_score_drift",
            "Population stability index of the evidence of the last 1,000 photos against the calibration's.",
        )
        if service is not None:
            rate.add_metric((), service.model.drift.reject_rate)
            drift.add_metric((), service.model.drift.index)
        yield from (rate, drift)
