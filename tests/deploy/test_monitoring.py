"""Dashboard, alerts and scaling ask for metrics that the service has; Grafana's own model reads the dashboard.

Grafana itself is not run here. The alerts are run by `promtool test rules` when the image of Prometheus is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from app.metrics import Metrics
from tests.deploy.deploy_files import DEPLOY, ROOT, read_documents, read_yaml

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/provisioning/dashboards/duet.json").read_text())
ALERTS: list[dict[str, Any]] = read_yaml("deploy/prometheus/alerts.yml")["groups"][0]["rules"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def exposed() -> set[str]:
    """The names of every series of a replica, and `up`, which Prometheus adds."""
    families = Metrics().registry.collect()
    return {family.name + ending for family in families for ending in ENDINGS[family.type]} | {"up"}


def asked(expression: str) -> set[str]:
    """The names of the series in an expression: what is followed by { or [ or stands alone with our prefix."""
    plain = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:duet|process)_\w+\b|\bup\b", plain))


def test_names_are_found_in_expressions() -> None:
    assert asked('sum(rate(duet_shed_total{a="duet_x"}[5m])) / up') == {"duet_shed_total", "up"}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_panels_ask_for_metrics_that_exist(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert asked(target["expr"]), "no metric"
        assert asked(target["expr"]) <= exposed()
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alerts_ask_for_metrics_that_exist_and_are_explained(rule: dict[str, Any]) -> None:
    assert asked(rule["expr"])
    assert asked(rule["expr"]) <= exposed()
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["alert"] in (ROOT / "docs/operations.md").read_text(), "what to do about it"


def test_every_alert_is_tested_to_fire_and_to_keep_quiet() -> None:
    quiet, loud = read_yaml("deploy/prometheus/alerts_test.yml")["tests"]
    names = {rule["alert"] for rule in ALERTS}
    assert {case["alertname"] for case in quiet["alert_rule_test"] if case["exp_alerts"] == []} == names
    fired = {sample["labels"] for sample in loud["promql_expr_test"][0]["exp_samples"]}
    assert fired == {f'{{alertname="{name}"}}' for name in names}


def test_every_metric_of_the_service_is_on_the_dashboard() -> None:
    shown = {name for panel in PANELS for target in panel["targets"] for name in asked(target["expr"])}
    families = [family for family in Metrics().registry.collect() if family.name.startswith("duet_")]
    unseen = [f.name for f in families if not shown & {f.name + ending for ending in ENDINGS[f.type]}]
    assert unseen == []


def lost(given: Any, read: Any, where: str = "") -> Iterator[str]:
    """What of a document is missing or changed after it went through a model of it."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            yield from [f"{where}.{name}"] if name not in read else lost(value, read[name], f"{where}.{name}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for place, (one, other) in enumerate(zip(given, read, strict=True)):
            yield from lost(one, other, f"{where}[{place}]")
    elif given != read:
        yield where


def through_grafana(dashboard: dict[str, Any]) -> dict[str, Any]:
    """A dashboard read and written by the model that Grafana generates from its schema."""
    plugins.register_default_plugins()
    written: dict[str, Any] = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    return written


def test_grafana_s_model_knows_every_field_of_the_dashboard() -> None:
    assert list(lost(DASHBOARD, through_grafana(DASHBOARD))) == []
    wrong = DASHBOARD | {"refreshes": "10s", "panels": [DASHBOARD["panels"][1] | {"heigth": 8}]}
    assert set(lost(wrong, through_grafana(wrong))) == {".refreshes", ".panels[0].heigth"}


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_dashboard_s_source_is_provisioned() -> None:
    source = read_yaml("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
    assert (source["uid"], source["type"], source["url"]) == ("prometheus", "prometheus", "http://prometheus:9090")
    services = read_yaml("docker-compose.yml")["services"]
    mounted = services["grafana"]["volumes"][0]
    assert mounted == "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro"
    provider = read_yaml("deploy/grafana/provisioning/dashboards/provider.yml")["providers"][0]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"


def test_prometheus_asks_services_that_exist() -> None:
    services = read_yaml("docker-compose.yml")["services"]
    jobs = {job["job_name"]: job for job in read_yaml("deploy/prometheus/prometheus.yml")["scrape_configs"]}
    assert set(jobs["duet"]["dns_sd_configs"][0]["names"]) == {"app", "app-gpu"} <= services.keys()
    assert jobs["duet"]["dns_sd_configs"][0]["port"] == int(services["app"]["expose"][0])
    assert jobs["proxy"]["static_configs"][0]["targets"] == ["proxy:8404"]


def test_pods_are_scaled_by_metrics_that_exist() -> None:
    adapter = read_yaml("deploy/kubernetes/prometheus-adapter-values.yaml")["rules"]["custom"]
    offered = {name for rule in adapter for name in asked(rule["seriesQuery"])}
    wanted = set()
    for path in (DEPLOY / "kubernetes").rglob("horizontalpodautoscaler.yaml"):
        for document in read_documents(path.read_text()):
            metrics = document["spec"]["metrics"]
            wanted |= {metric["pods"]["metric"]["name"] for metric in metrics if metric["type"] == "Pods"}
    assert wanted == offered == {"duet_queue_depth"} <= exposed()
