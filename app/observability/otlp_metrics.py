"""The metrics that Prometheus reads, sent over OTLP as well: each is defined once, in app/metrics.py."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Iterable, Mapping
from itertools import pairwise

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from app import __version__

log = logging.getLogger("duet.telemetry")

CUMULATIVE = AggregationTemporality.CUMULATIVE


class MetricsSender:
    """Collects the registry where the service runs, and sends from a thread every OTEL_METRIC_EXPORT_INTERVAL ms."""

    def __init__(self, registry: CollectorRegistry, resource: Resource) -> None:
        self._registry = registry
        self._resource = resource
        self._exporter = OTLPMetricExporter()
        self._seconds = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "60000")) / 1000
        self._began = time.time_ns()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="metrics")

    async def stop(self) -> None:
        """Send once more, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._send()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self._send()

    async def _send(self) -> None:
        try:
            metrics = metrics_of(self._registry.collect(), self._began, time.time_ns())
            scope = ScopeMetrics(InstrumentationScope("duet-serving", __version__), metrics, "")
            data = MetricsData([ResourceMetrics(self._resource, [scope], "")])
            await asyncio.to_thread(self._exporter.export, data)
        except Exception:  # a collector is no reason to stop, nor to stop sending
            log.exception("metrics could not be sent")


def metrics_of(families: Iterable[Family], began: int, now: int) -> list[Metric]:
    """Families of Prometheus as metrics of OTLP; `began` and `now` in nanoseconds since 1970. NaN has no point."""
    found = []
    for family in families:
        unit = "s" if family.name.endswith("_seconds") else "By" if family.name.endswith("_bytes") else "1"
        data: Sum | Gauge | Histogram
        if family.type == "counter":
            kept = [sample for sample in family.samples if sample.name.endswith("_total")]
            data = Sum([_number(sample, began, now) for sample in kept], CUMULATIVE, is_monotonic=True)
        elif family.type == "histogram":
            data = Histogram(_histograms(family, began, now), CUMULATIVE)
        elif family.type == "gauge" and not family.name.endswith("_created"):
            data = Gauge([_number(sample, began, now) for sample in family.samples if not math.isnan(sample.value)])
        else:
            continue
        if data.data_points:
            found.append(Metric(family.name, family.documentation, unit, data))
    return found


def _number(sample: Sample, began: int, now: int) -> NumberDataPoint:
    return NumberDataPoint(sample.labels, began, now, float(sample.value))


def _histograms(family: Family, began: int, now: int) -> list[HistogramDataPoint]:
    """A point for each combination of labels. Prometheus counts what is at or below a bound, OTLP what lies between."""
    grouped: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", "")
        key = sample.name.removeprefix(family.name) + bound
        grouped.setdefault(tuple(sorted(labels.items())), {})[key] = sample.value
    return [_histogram(dict(labels), values, began, now) for labels, values in grouped.items()]


def _histogram(labels: Mapping[str, str], values: Mapping[str, float], began: int, now: int) -> HistogramDataPoint:
    below = {float(name.removeprefix("_bucket")): n for name, n in values.items() if name.startswith("_bucket")}
    bounds = sorted(below)
    counts = [int(below[bounds[0]]), *(int(below[high] - below[low]) for low, high in pairwise(bounds))]
    least = most = None  # not known; OTLP leaves them out
    return HistogramDataPoint(
        attributes=labels,
        start_time_unix_nano=began,
        time_unix_nano=now,
        count=int(values["_count"]),
        sum=values["_sum"],
        bucket_counts=counts,
        explicit_bounds=[bound for bound in bounds if math.isfinite(bound)],
        min=least,  # type: ignore[arg-type]  # the encoder leaves None out
        max=most,  # type: ignore[arg-type]
    )
