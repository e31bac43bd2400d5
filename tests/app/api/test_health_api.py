"""Health, metrics and the pages."""

from __future__ import annotations

import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.tiny_bundle import SEEN, picture_bytes


def test_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["model"], ready["classes"]) == ("ready", "tiny", len(SEEN))
    assert (ready["store"]["kind"], ready["store"]["trouble"]) == ("sqlite", None)


def test_metrics_count_what_happened(client: httpx.Client, space: str) -> None:
    client.post("/classify", params={"space": space}, files={"image": picture_bytes("red")}).raise_for_status()
    client.get(f"/classes/{space}")  # an id of its own must not become a series of its own
    text = client.get("/metrics").text
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    served = ("duet_requests_total", ("method", "POST"), ("route", "/classify"), ("status", "200"))
    assert samples[served] >= 1
    assert samples[("duet_requests_total", ("method", "GET"), ("route", "/classes/{class_id}"), ("status", "404"))] >= 1
    assert samples[("duet_decisions_total", ("decision", "accepted"))] >= 1
    for stage in ("decode", "queue", "infer", "score"):
        assert samples[("duet_stage_seconds_count", ("stage", stage))] >= 1
    assert samples[("duet_registry_revision", ("space", space))] == 0
    assert samples[("duet_registry_age_seconds", ("space", "default"))] < 30
    assert samples[("duet_images_in_flight",)] == 0
    assert samples[("duet_shed_total",)] == 0
    assert f"/classes/{space}" not in text


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_ask_nobody_else(client: httpx.Client, path: str) -> None:
    page = client.get(path).raise_for_status()
    assert page.headers["content-type"].startswith("text/html")
    assert re.match("default-src '(none|self)'", page.headers["content-security-policy"])
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    for link in links:
        assert "//" not in link, link
        assert client.get("/" + link.removeprefix("./").removeprefix("/")).status_code == 200, link


def test_the_api_description_shows_bodies_and_every_route(client: httpx.Client) -> None:
    described = client.get("/openapi.json").raise_for_status().json()
    in_a_space = {
        "/classify",
        "/explain",
        "/explain/map",
        "/calibration",
        "/classes",
        "/classes/{class_id}",
        "/import",
        "/export",
        "/log",
    }
    assert set(described["paths"]) == {
        *in_a_space,
        *(f"/spaces/{{space}}{path}" for path in in_a_space),
        "/spaces",
        "/spaces/{name}",
        "/admin/model",
        "/attributes",
        "/hf/zero-shot-image-classification",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{model}",
        "/v2/models/{model}/ready",
        "/v2/models/{model}/infer",
        "/model",
        "/livez",
        "/readyz",
        "/metrics",
        "/problems/{slug}",
    }
    photo = described["paths"]["/classify"]["post"]["requestBody"]["content"]
    assert set(photo) == {"multipart/form-data", "image/jpeg", "image/png", "image/webp", "application/json"}
    assert "application/json" in described["paths"]["/classes"]["post"]["requestBody"]["content"]
    for routes in described["paths"].values():
        for route in routes.values():
            assert route["description"], route["operationId"]
