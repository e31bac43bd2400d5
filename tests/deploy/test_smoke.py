"""deploy/smoke.sh: that bash can read it and, where there is a Docker engine, the whole of it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.deploy.deploy_files import DEPLOY, ROOT

SMOKE = DEPLOY / "smoke.sh"
BASES = ("python:3.11-slim-bookworm", "redis:7-bookworm", "prom/prometheus:v2.53.4")


def why_not() -> str | None:
    """Why the smoke test cannot run here, or None when it can."""
    if shutil.which("docker") is None:
        return "no docker on this machine: the stack was not started"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "no Docker engine answers: the stack was not started"
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    if not plugin and shutil.which("docker-compose") is None:
        return "no Docker Compose on this machine: the stack was not started"
    for image in BASES:
        if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode:
            return f"{image} is not on this machine: docker pull it, then the stack can be started"
    return None


def test_bash_can_read_it() -> None:
    subprocess.run(["bash", "-n", str(SMOKE)], check=True)
    assert os.access(SMOKE, os.X_OK)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_stack_keeps_its_promises() -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    done = subprocess.run([str(SMOKE)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=1400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "smoke test passed"
