"""docker-compose.yml keeps its promises; what only running it can show, deploy/smoke.sh does."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest

from app.settings import Settings
from tests.deploy.deploy_files import ROOT, read_yaml

COMPOSE: dict[str, Any] = read_yaml("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONLY_COMPOSE_2 = {"name", "include", "develop", "secrets", "configs", "version"}
"""Top-level keys that Compose 1.29 refuses or treats otherwise (`version`: Compose 2 warns of it)."""


def test_without_a_profile_the_demo_starts_and_nothing_else() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {
        "app",
        "proxy",
        "redis",
        "seed",
    }
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"app-gpu": ["gpu"], "load": ["load"], "prometheus": ["obs"], "grafana": ["obs"]}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_fenced_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert {"mem_limit", "cpus"} <= service.keys()
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])


def test_ports_are_published_on_this_machine_only_and_redis_not_at_all() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.keys() == {"proxy", "prometheus", "grafana"}
    assert [port for published in ports.values() for port in published if not port.startswith("127.0.0.1:")] == []
    assert ports["proxy"] == ["127.0.0.1:${DUET_PORT:-8000}:8000"]


def test_only_replicas_reach_redis() -> None:
    assert {name for name, service in SERVICES.items() if "store" in service["networks"]} == {"app", "app-gpu", "redis"}
    assert COMPOSE["networks"]["store"] == {"internal": True}
    assert SERVICES["redis"]["networks"] == ["store"]


def test_any_number_of_replicas_share_what_they_need() -> None:
    for name in ("app", "app-gpu"):
        assert not {"container_name", "ports", "hostname"} & SERVICES[name].keys()
        assert SERVICES[name]["environment"]["DUET_STORE"] == "redis://redis:6379/0"
        assert SERVICES[name]["volumes"] == ["snapshots:/var/lib/duet"]
        assert SERVICES[name]["environment"]["DUET_SNAPSHOTS"].startswith("/var/lib/duet/")
        assert SERVICES[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_settings_are_ones_that_the_service_has() -> None:
    known = {f"DUET_{name.upper()}" for name in Settings.model_fields}
    for name in ("app", "app-gpu"):
        assert SERVICES[name]["environment"].keys() <= known
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"\b(DUET_[A-Z_]+)=", dockerfile)) <= known


def test_an_acknowledged_class_is_on_disk_and_none_is_evicted() -> None:
    lines = (ROOT / "deploy/redis/redis.conf").read_text().splitlines()
    settings = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["no-appendfsync-on-rewrite"] == "no"
    assert settings["maxmemory-policy"] == "noeviction"
    most, container = settings["maxmemory"], SERVICES["redis"]["mem_limit"]
    assert (most, container) == ("512mb", "1g")  # room for the rewrite of the file
    assert SERVICES["redis"]["volumes"] == [f"classes:{settings['dir']}"]


def test_both_generations_of_compose_can_read_it() -> None:
    assert not ONLY_COMPOSE_2 & COMPOSE.keys()
    for name, service in SERVICES.items():
        assert not {"pull_policy", "develop", "annotations"} & service.keys(), name
        assert not {"start_interval"} & service.get("healthcheck", {}).keys(), name
        dependencies = service.get("depends_on", {})
        if isinstance(dependencies, dict):
            assert [on for on in dependencies.values() if on.keys() != {"condition"}] == [], name


def test_what_is_built_has_a_name_of_its_own_and_what_is_fetched_a_version() -> None:
    """Compose would look for our images in a registry if they had no build, and builds of one name may collide."""
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert len(set(built)) == len(built)
    assert all(image.startswith("duet-serving:") for image in built)
    fetched = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert [image for image in fetched if not re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", image)] == []
    assert SERVICES["seed"]["build"] == SERVICES["load"]["build"] == SERVICES["app"]["build"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="no docker-compose (1.29) on this machine")
def test_compose_1_reads_it() -> None:
    done = subprocess.run(["docker-compose", "config", "-q"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
