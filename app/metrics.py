"""What Prometheus is told, one registry an application."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.live_metrics import LiveMetrics
from app.observability.routes import UNMATCHED, route_of

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The service's counters, gauges and histograms."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        labels = ("method", "route", "status")
        self.requests = Counter("duet_requests", "Requests answered.", labels, registry=registry)
        self.request_seconds = Histogram(
            "duet_request_seconds", "Time to answer a request.", ("route",), buckets=SECONDS, registry=registry
        )
        self.stage_seconds = Histogram(
            "duet_stage_seconds",
            "Time of one photo in a stage: decode (with preprocessing), queue, infer (its whole batch), score.",
            ("stage",),
            buckets=SECONDS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "duet_batch_size", "Photos given to the model at once.", buckets=(1, 2, 4, 8, 16, 32), registry=registry
        )
        self.in_flight = Gauge("duet_images_in_flight", "Photos in the service at this moment.", registry=registry)
        self.queue_depth = Gauge("duet_queue_depth", "Photos waiting for the model.", registry=registry)
        self.shed = Counter("duet_shed", "Photos refused because the service was full.", registry=registry)
        self.over_quota = Counter("duet_over_quota", "Photos refused because of their key's quota.", registry=registry)
        self.expired = Counter("duet_expired", "Photos whose time was over before the answer.", registry=registry)
        self.abandoned = Counter("duet_abandoned", "Photos whose client hung up while it waited.", registry=registry)
        self.failed = Counter("duet_photos_failed", "Photos that the model raised an error for.", registry=registry)
        self.worker_deaths = Counter("duet_worker_deaths", "Ends of the inference thread by error.", registry=registry)
        self.decisions = Counter("duet_decisions", "Decisions on photos.", ("decision",), registry=registry)
        self.live = LiveMetrics()
        registry.register(self.live)
        self.registry_lag = Histogram(
            "duet_registry_lag_seconds",
            "Time from a write to the class store until this process serves it, by the clocks of both.",
            buckets=SECONDS,
            registry=registry,
        )
        self.writes = Counter("duet_registry_writes", "Classes stored or deleted.", ("operation",), registry=registry)
        self.swaps = Counter("duet_model_swaps", "Bundles asked for while serving.", ("outcome",), registry=registry)
        self.state_errors = Counter(
            "duet_image_state_errors", "Photo states that could not be shared through the store.", registry=registry
        )


class MeasureRequests:
    """ASGI middleware: counts each request under its route, not its path, so that ids make no new series."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start = 500, time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = route_of(scope)
            method = scope["method"] if route != UNMATCHED else "any"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - start)
