"""Fixtures: the service that the client's tests talk to."""

from __future__ import annotations

from tests.app.conftest import service, space, tiny_bundle

__all__ = ["service", "space", "tiny_bundle"]
