"""What /metrics says of a service: ready or not, how far behind the store, how long writes took to be served."""

from __future__ import annotations

import re

import httpx

from app.metrics import Metrics
from tests.tiny_bundle import ALL_BLUE, picture_bytes


def value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert found, f"{series} is not in\n{text}"
    return float(found[1])


def test_a_process_without_a_service_is_not_ready() -> None:
    live = {family.name: family.samples for family in Metrics().live.collect()}
    assert [sample.value for sample in live["duet_ready"]] == [0]
    assert sum(len(samples) for samples in live.values()) == 1


def test_a_write_is_served_soon_and_decisions_are_counted(client: httpx.Client, space: str) -> None:
    before = value(client.get("/metrics").text, "duet_registry_lag_seconds_count")
    where = {"space": space}
    for name in ("first", "second"):  # the first makes the space, which is then read from its beginning
        added = client.post("/classes", params=where, json={"id": name, "label": "B", "attributes": ALL_BLUE})
        assert added.status_code == 201, added.text
    client.post("/classify", params=where, content=picture_bytes("red"), headers={"Content-Type": "image/png"})
    told = client.get("/metrics").text
    assert value(told, "duet_ready") == 1
    assert value(told, f'duet_registry_revision{{space="{space}"}}') == 2
    assert value(told, f'duet_registry_revisions_behind{{space="{space}"}}') == 0
    assert value(told, "duet_registry_lag_seconds_count") == before + 1
    assert 0 <= value(told, "duet_reject_rate") <= 1
    assert value(told, "duet_registry_lag_seconds_sum") < 60
