"""docs/clients.md: its commands and its programs are run against a service on the demo bundle."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import ROOT, blocks, environment, server

__all__ = ["server"]

PAGE = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)\n```", PAGE, re.DOTALL)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_commands_run(server: str, tmp_path: Path) -> None:
    scripts = [block.script for block in blocks(PAGE) if not block.reason]
    assert scripts
    for script in scripts:
        printed = run(["bash", "-euo", "pipefail", "-c", script.replace("localhost:8000", server)], tmp_path)
        assert "yellow-headed-blackbird" in printed


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_run(server: str, tmp_path: Path, program: str) -> None:
    program = program.replace("localhost:8000", server)
    assert len(PROGRAMS) == 4
    assert run([sys.executable, "-c", program], tmp_path).strip()
