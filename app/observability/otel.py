"""OpenTelemetry at work: a span for each request, its stages below it, and the metrics of Prometheus over OTLP.

Imported only where a collector is named (telemetry.py). Spans have no photo, key or query, and no message of an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, Tracer
from prometheus_client import CollectorRegistry
from starlette.datastructures import Headers
from starlette.types import Scope

from app import __version__
from app.observability.otlp_metrics import MetricsSender
from app.observability.request_record import RequestRecord
from app.observability.routes import UNMATCHED, route_of
from app.observability.spans import Attributes, Span

NAME = "duet-serving"
FLUSH_SECONDS = 3.0
"""Longest time that the end of the process waits for a collector; what it has not got by then is lost."""


class OtlpTelemetry:
    """Sends spans and metrics to the collector that `environment` names; which of the two, as it says there."""

    def __init__(self, environment: Mapping[str, str], registry: CollectorRegistry) -> None:
        resource = _resource(environment)
        self._sampled = TracerProvider(resource=resource)
        # A run of the model is traced when one of its requests is; the sampler has been asked about that one already.
        self._always = TracerProvider(resource=resource, sampler=ALWAYS_ON)
        if environment.get("OTEL_TRACES_EXPORTER", "otlp") != "none":
            processor = BatchSpanProcessor(OTLPSpanExporter())
            self._sampled.add_span_processor(processor)
            self._always.add_span_processor(processor)
        self._tracer = self._sampled.get_tracer(NAME, __version__)
        self._batches = self._always.get_tracer(NAME, __version__)
        self._metrics: MetricsSender | None = None
        if environment.get("OTEL_METRICS_EXPORTER", "otlp") != "none":
            self._metrics = MetricsSender(registry, resource)
            self._metrics.start()

    def begin(self, scope: Scope, record: RequestRecord) -> Callable[[Scope, int], None]:
        """Begin the span of a request, below the client's where it sent a traceparent."""
        span = self._tracer.start_span(
            str(scope["method"]),
            context=propagate.extract(Headers(scope=scope)),
            kind=SpanKind.SERVER,
            attributes=_attributes(scope),
        )
        context = span.get_span_context()
        record.trace_id, record.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        if span.is_recording():
            span.set_attribute("duet.request_id", record.id)
            record.span = RequestSpan(span, self._tracer, self._batches)

        def end(scope: Scope, status: int) -> None:
            route = route_of(scope)
            if route != UNMATCHED:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", status)
            if record.decisions:
                span.set_attribute("duet.decision", tuple(record.decisions))
            if status >= 500:
                span.set_attribute("error.type", str(status))
                span.set_status(Status(StatusCode.ERROR))
            span.end()

        return end

    async def stop(self) -> None:
        """Send what is left."""
        flushed = asyncio.to_thread(self._sampled.force_flush, int(1000 * FLUSH_SECONDS))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await asyncio.gather(flushed, *([self._metrics.stop()] if self._metrics is not None else []))


class RequestSpan:
    """A request's span and what is needed to put stages below it."""

    def __init__(self, span: trace.Span, tracer: Tracer, batches: Tracer) -> None:
        self._span = span
        self._context = trace.set_span_in_context(span)
        self._tracer = tracer
        self._batches = batches

    @property
    def context(self) -> SpanContext:
        """What another span links to."""
        return self._span.get_span_context()

    def stage(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        error: BaseException | None,
        attributes: Attributes,
        links: Sequence[Link] = (),
    ) -> None:
        """A span below this one, from one moment to another."""
        span = self._tracer.start_span(
            name, context=self._context, attributes=attributes, links=links, start_time=_since_1970(began)
        )
        _end(span, ended, error)

    def batch(self, others: Sequence[Span], began: float, ended: float, *, error: BaseException | None) -> None:
        """A span of its own trace for the run, linked to all its requests, and below each request one linked to it."""
        spans = [other for other in others if isinstance(other, RequestSpan)]
        size = {"duet.batch.size": len(spans)}
        run = self._batches.start_span(
            "batch",
            context=trace.set_span_in_context(trace.INVALID_SPAN),
            links=[Link(span.context) for span in spans],
            attributes=size,
            start_time=_since_1970(began),
        )
        _end(run, ended, error)
        for span in spans:
            links = [Link(run.get_span_context())]
            span.stage("infer", began, ended, error=error, attributes=size, links=links)


def _end(span: trace.Span, ended: float, error: BaseException | None) -> None:
    if error is not None:  # its kind, not its message, which may quote what a client sent
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(Status(StatusCode.ERROR))
    span.end(_since_1970(ended))


def _since_1970(moment: float) -> int:
    """A moment of the monotonic clock in nanoseconds since 1970."""
    return time.time_ns() - int(1e9 * (time.monotonic() - moment))


def _attributes(scope: Scope) -> dict[str, str | int]:
    """What the semantic conventions say of an HTTP request, without its query."""
    found: dict[str, str | int] = {
        "http.request.method": str(scope["method"]),
        "url.path": str(scope["path"]),
        "url.scheme": str(scope.get("scheme", "http")),
        "network.protocol.version": str(scope.get("http_version", "1.1")),
    }
    for kind in ("client", "server"):
        if scope.get(kind):
            found[f"{kind}.address"] = str(scope[kind][0])
    if scope.get("server") and scope["server"][1]:
        found["server.port"] = int(scope["server"][1])
    agent = Headers(scope=scope).get("user-agent")
    return found | ({"user_agent.original": agent[:200]} if agent else {})


def _resource(environment: Mapping[str, str]) -> Resource:
    """Who sends: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, with a name of ours where they have none."""
    ours = {"service.version": __version__, "service.instance.id": uuid.uuid4().hex}
    asked = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in asked:
        ours["service.name"] = NAME
    return Resource.create({name: value for name, value in ours.items() if f"{name}=" not in asked})
