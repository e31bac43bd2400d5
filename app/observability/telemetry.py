"""Traces and metrics for a collector, where the standard variables of OpenTelemetry name one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry
from starlette.types import Scope

from app.observability.request_record import RequestRecord

ENDPOINTS = tuple(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT" for part in ("", "TRACES_", "METRICS_"))


class TelemetryMissing(RuntimeError):
    """A collector is named, but what talks to it is not installed."""


class Telemetry(Protocol):
    """What is sent to a collector while the service runs."""

    def begin(self, scope: Scope, record: RequestRecord) -> Callable[[Scope, int], None]:
        """Begin the span of a request and note its ids in `record`. Returns what ends it, given the status."""
        ...

    async def stop(self) -> None:
        """Send what is left, for a few seconds at most."""
        ...


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables of an environment name a collector and nothing forbids to talk to it."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_off and any(environment.get(name, "").strip() for name in ENDPOINTS)


@asynccontextmanager
async def sending(registry: CollectorRegistry) -> AsyncIterator[Telemetry | None]:
    """Inside, spans and the metrics of `registry` are sent; None where no collector is named: nothing is imported then.

    Raises TelemetryMissing without the extra `otel`.
    """
    if not wanted(os.environ):
        yield None
        return
    telemetry = _opened(registry)
    try:
        yield telemetry
    finally:
        await telemetry.stop()


def _opened(registry: CollectorRegistry) -> Telemetry:
    try:
        from app.observability.otel import OtlpTelemetry
    except ModuleNotFoundError as error:
        raise TelemetryMissing(
            f"{' or '.join(ENDPOINTS)} is set, but {error.name} is not installed: "
            "pip install -r requirements/otel.txt, or unset the variable, or set OTEL_SDK_DISABLED=true"
        ) from error
    return OtlpTelemetry(os.environ, registry)
