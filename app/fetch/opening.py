"""The fetcher that the settings ask for."""

from __future__ import annotations

from app.fetch.fetcher import PhotoFetcher
from app.fetch.targets import Rules
from app.settings import Settings


def open_fetcher(settings: Settings) -> PhotoFetcher | None:
    """None where nothing is fetched, which is the default. Raises FetchUnavailable."""
    if not settings.fetch_urls:
        return None
    return PhotoFetcher(
        Rules(hosts=settings.fetch_hosts, ports=settings.fetch_ports),
        most=settings.max_bytes,
        seconds=settings.fetch_timeout_seconds,
    )
