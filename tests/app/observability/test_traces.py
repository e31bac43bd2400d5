"""A real service sends traces and metrics to a collector: whole, with the right parents, nothing confidential."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from app.observability.telemetry import wanted
from tests.app.observability.collector import Collector
from tests.app.observability.test_access_log import wait_for_log
from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, picture_bytes

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
COMMENT = b"bytes-of-a-photo-nobody-else-may-see"
STAGES = {"admission", "body", "decode", "queue", "infer", "score", "store.keep"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


@pytest.fixture(scope="module")
def traced(
    tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> Iterator[ServiceProcess]:
    """A service that sends to `collector`, spans ten times a second."""
    folder = tmp_path_factory.mktemp("traced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        patch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        service = ServiceProcess(folder, bundle=tiny_bundle, store=f"sqlite:///{folder}/c.sqlite", max_delay_ms=200)
        yield service.start()
        service.close()


def ask(service: ServiceProcess, path: str = "/classify", **headers: str) -> httpx.Response:
    photo = picture_bytes("red") + COMMENT
    return service.client.post(path, content=photo, headers={"Content-Type": "image/png"} | headers)


def of_trace(collector: Collector, trace: str) -> list[Span]:
    return [span for span in collector.spans if span.trace_id.hex() == trace]


def attributes(span: Span) -> dict[str, object]:
    kinds = {pair.key: pair.value.WhichOneof("value") for pair in span.attributes}
    return {pair.key: getattr(pair.value, str(kinds[pair.key])) for pair in span.attributes}


def test_a_photos_trace_is_whole(traced: ServiceProcess, collector: Collector) -> None:
    answer = ask(
        traced,
        "/spaces/default/classify?secret=of-the-query",
        traceparent=f"00-{TRACE}-{PARENT}-01",
        **{"X-Request-ID": "r-1"},
    )
    assert answer.status_code == 200
    collector.wait(lambda: any(span.kind == Span.SPAN_KIND_SERVER for span in of_trace(collector, TRACE)))
    spans = {span.name: span for span in of_trace(collector, TRACE)}
    root = spans.pop("POST /spaces/{space}/classify")
    assert (root.parent_span_id.hex(), root.kind) == (PARENT, Span.SPAN_KIND_SERVER)
    assert spans.keys() == STAGES
    assert {span.parent_span_id for span in spans.values()} == {root.span_id}
    for span in spans.values():
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano + 1_000_000
        assert span.end_time_unix_nano <= root.end_time_unix_nano + 1_000_000
    order = ["admission", "body", "decode", "queue", "infer", "score", "store.keep"]
    begins = [spans[name].start_time_unix_nano for name in order]
    assert begins == sorted(begins)
    told = attributes(root)
    assert (told["http.request.method"], told["http.route"]) == ("POST", "/spaces/{space}/classify")
    assert (told["http.response.status_code"], told["url.path"]) == (200, "/spaces/default/classify")
    assert told["duet.request_id"] == "r-1"
    wait_for_log(traced, '"r-1"')
    line = next(one for one in map(json.loads, traced.log.splitlines()) if one.get("request_id") == "r-1")
    assert (line["trace_id"], line["span_id"]) == (TRACE, root.span_id.hex())
    assert {"service.name": "duet-serving", "deployment.environment.name": "test"}.items() <= collector.resources[
        0
    ].items()


def test_a_batch_is_linked_to_its_requests_and_they_to_it(traced: ServiceProcess, collector: Collector) -> None:
    def one(number: int) -> str:
        trace = f"{number:032x}"
        ask(traced, traceparent=f"00-{trace}-{PARENT}-01")
        return trace

    with ThreadPoolExecutor(6) as pool:
        traces = list(pool.map(one, range(1, 7)))
    collector.wait(lambda: all(any(s.kind == Span.SPAN_KIND_SERVER for s in of_trace(collector, t)) for t in traces))
    batches = {span.span_id: span for span in collector.spans if span.name == "batch"}
    sizes = []
    for trace in traces:
        spans = {span.name: span for span in of_trace(collector, trace)}
        batch = batches[spans["infer"].links[0].span_id]
        assert not batch.parent_span_id
        assert batch.trace_id.hex() not in traces
        assert spans["POST /classify"].span_id in {link.span_id for link in batch.links}
        assert len(batch.links) == attributes(batch)["duet.batch.size"]
        sizes.append(len(batch.links))
    assert max(sizes) > 1


def test_a_write_names_the_store(traced: ServiceProcess, collector: Collector) -> None:
    trace = "1" * 32
    new = {"id": "blue", "label": "Blue", "attributes": ALL_BLUE}
    answer = traced.client.post("/classes", json=new, headers={"traceparent": f"00-{trace}-{PARENT}-01"})
    assert answer.status_code == 201
    collector.wait(lambda: any(span.kind == Span.SPAN_KIND_SERVER for span in of_trace(collector, trace)))
    assert {"body", "store.write", "store.read", "POST /classes"} <= {span.name for span in of_trace(collector, trace)}


def test_a_trace_that_is_not_sampled_is_not_sent(traced: ServiceProcess, collector: Collector) -> None:
    ask(traced, traceparent=f"00-{'2' * 32}-{PARENT}-00", **{"X-Request-ID": "r-2"})
    ask(traced, traceparent=f"00-{'3' * 32}-{PARENT}-01")
    collector.wait(lambda: any(span.kind == Span.SPAN_KIND_SERVER for span in of_trace(collector, "3" * 32)))
    assert of_trace(collector, "2" * 32) == []
    wait_for_log(traced, '"r-2"')
    line = next(one for one in map(json.loads, traced.log.splitlines()) if one.get("request_id") == "r-2")
    assert line["trace_id"] == "2" * 32


def test_metrics_are_those_of_prometheus(traced: ServiceProcess, collector: Collector) -> None:
    ask(traced)
    collector.wait(lambda: "duet_batch_size" in collector.metrics and "duet_decisions" in collector.metrics)
    ready = collector.metrics["duet_ready"].gauge.data_points[0].as_double
    seconds = collector.metrics["duet_request_seconds"]
    assert (ready, seconds.unit) == (1.0, "s")
    point = collector.metrics["duet_batch_size"].histogram.data_points[0]
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert sum(point.bucket_counts) == point.count > 0
    requests = collector.metrics["duet_requests"].sum
    assert requests.is_monotonic
    assert "duet_score_drift" not in collector.metrics  # too few answers: it has no value


def test_nothing_confidential_and_no_probe_is_sent(traced: ServiceProcess, collector: Collector) -> None:
    ask(traced, "/classify?token=of-the-query", Authorization="Bearer duet_shown-key")
    traced.client.get("/readyz")
    collector.wait(lambda: len(collector.spans) > 20)
    for secret in (COMMENT, b"of-the-query", b"shown-key"):
        assert secret not in collector.raw
    assert not [span for span in collector.spans if span.name.endswith(("/readyz", "/livez", "/metrics"))]


@pytest.mark.slow
def test_the_last_spans_are_sent_when_the_service_ends_and_a_collector_that_is_away_holds_nobody_up(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.url)
    service = ServiceProcess(tmp_path, bundle=tiny_bundle, store=f"sqlite:///{tmp_path}/c.sqlite", drain_seconds=0)
    service.start()
    ask(service, traceparent=f"00-{TRACE}-{PARENT}-01")
    service.stop()
    assert {span.name for span in of_trace(gone, TRACE)} >= STAGES
    assert "duet_requests" in gone.metrics
    gone.close()
    service.start()
    assert ask(service).status_code == 200
    service.stop()  # fails after 30 s
    service.close()


def run_without_opentelemetry(tiny_bundle: Path, folder: Path, collector: str) -> subprocess.CompletedProcess[str]:
    """A service that starts, answers and ends without the extra `otel`; OpenTelemetry's API comes with FastAPI."""
    code = (
        "import sys; sys.modules.update({'opentelemetry.sdk': None, 'opentelemetry.exporter': None})\n"
        "from fastapi.testclient import TestClient; from app.main import create_app\n"
        "with TestClient(create_app()) as client: client.post('/classify')\n"
        "print([n for n in sys.modules if n in ('app.observability.otel', 'google.protobuf', 'requests')])"
    )
    settings = {"DUET_BUNDLE": str(tiny_bundle), "DUET_STORE": f"sqlite:///{folder}/c.sqlite"}
    environment = os.environ | settings | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


def test_a_service_without_a_collector_needs_and_loads_no_opentelemetry(tiny_bundle: Path, tmp_path: Path) -> None:
    done = run_without_opentelemetry(tiny_bundle, tmp_path, collector="")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_collector_without_the_extra_is_told(tiny_bundle: Path, tmp_path: Path) -> None:
    done = run_without_opentelemetry(tiny_bundle, tmp_path, collector="http://127.0.0.1:9")
    assert done.returncode != 0
    assert "is not installed: pip install -r requirements/otel.txt, or unset" in done.stderr


@pytest.mark.parametrize(
    ("environment", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"}, False),
    ],
)
def test_the_standard_variables_decide(environment: dict[str, str], is_wanted: bool) -> None:
    assert wanted(environment) == is_wanted
