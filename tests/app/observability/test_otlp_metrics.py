"""Each kind of metric as OTLP has it: the same numbers, counted the way OTLP counts them."""

from __future__ import annotations

import math

from opentelemetry.sdk.metrics.export import Gauge, Histogram, Sum
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client import Histogram as PrometheusHistogram

from app.observability.otlp_metrics import metrics_of


def test_every_kind_keeps_its_numbers() -> None:
    registry = CollectorRegistry()
    seconds = PrometheusHistogram("x_seconds", "How long.", ("stage",), buckets=(1, 2, 5), registry=registry)
    for value in (0.5, 1.0, 1.5, 3.0, 4.0, 60.0):
        seconds.labels("a").observe(value)
    seconds.labels("b").observe(2.5)
    PrometheusCounter("shed", "Refused.", ("why",), registry=registry).labels("full").inc(3)
    PrometheusGauge("depth", "Waiting.", registry=registry).set(7)
    PrometheusGauge("unknown", "No value.", registry=registry).set(math.nan)
    found = {metric.name: metric for metric in metrics_of(registry.collect(), began=1, now=2)}
    assert found.keys() == {"x_seconds", "shed", "depth"}
    histogram, counter, gauge = (found[name].data for name in ("x_seconds", "shed", "depth"))
    assert isinstance(histogram, Histogram)
    first, second = histogram.data_points
    assert (first.attributes, first.count, first.sum) == ({"stage": "a"}, 6, 70.0)
    assert (first.explicit_bounds, first.bucket_counts) == ([1.0, 2.0, 5.0], [2, 1, 2, 1])
    assert (second.attributes, second.bucket_counts) == ({"stage": "b"}, [0, 0, 1, 0])
    assert isinstance(counter, Sum)
    assert [(point.attributes, point.value) for point in counter.data_points] == [({"why": "full"}, 3.0)]
    assert isinstance(gauge, Gauge)
    assert [(point.value, point.start_time_unix_nano, point.time_unix_nano) for point in gauge.data_points] == [
        (7, 1, 2)
    ]
    assert (found["x_seconds"].unit, found["depth"].unit) == ("s", "1")
