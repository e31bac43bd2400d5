"""`make audit` tells a weak package, a clean list and a database that did not answer apart; CI runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import audit
from tests.service_process import ROOT

FILES = [Path("serve.txt"), Path("client.txt")]


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


FINE = {"name": "numpy", "version": "2.0", "vulns": []}
WEAK = {
    "name": "pillow",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1"], "description": "…"}],
}
SKIPPED = {"name": "httpx", "skip_reason": "Dependency not found on PyPI and could not be audited: httpx (0.28.1)"}


@pytest.mark.parametrize(
    ("answers", "status", "told"),
    [
        ([answer(FINE), answer(FINE)], audit.CLEAN, "client.txt: 0 known weaknesses"),
        ([answer(FINE), answer(WEAK)], audit.WEAK, "client.txt: pillow 1.0 has PYSEC-1, fixed in 1.1"),
        ([answer(FINE), answer(SKIPPED)], audit.NOT_ASKED, "client.txt: unknown to the database: httpx"),
        ([answer(FINE), ""], audit.NOT_ASKED, "client.txt: the database did not answer"),
        (["Traceback …", answer(WEAK)], audit.WEAK, "serve.txt: the database did not answer"),
    ],
)
def test_the_outcome_is_told(answers: list[str], status: int, told: str) -> None:
    lines: list[str] = []
    left = iter(answers)
    assert audit.audit(FILES, lambda _: next(left), lines.append) == status
    assert told in lines
    assert ("this audit says nothing" in lines[-1]) == (status == audit.NOT_ASKED)


def test_a_weakness_is_accepted_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ACCEPTED", {"CVE-2026-1": "not reached from here"})
    assert audit.audit(FILES[:1], lambda _: answer(WEAK), lambda _: None) == audit.CLEAN


def test_every_acceptance_has_a_reason() -> None:
    assert all(len(reason) > 10 for reason in audit.ACCEPTED.values())


def test_the_files_asked_about_are_all_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def ask(file: Path, service: str) -> str:
        assert service == "osv"
        asked.append(file)
        return answer(FINE)

    monkeypatch.setattr(audit, "ask_pip_audit", ask)
    assert audit.main([]) == audit.CLEAN
    assert asked == sorted((ROOT / "requirements").glob("*.txt"))


def test_ci_asks_every_week_and_with_every_change_of_the_requirements() -> None:
    text = (ROOT / ".github/workflows/audit.yml").read_text()
    workflow = yaml.safe_load(text)
    on = workflow[True]  # YAML reads the word "on" as true
    assert re.fullmatch(r"\d+ \d+ \* \* \d", on["schedule"][0]["cron"])
    for event in ("push", "pull_request"):
        assert {"requirements/**", "pyproject.toml"} <= set(on[event]["paths"])
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["audit"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make audit"]
    assert all(re.fullmatch(r"[\w/-]+@v\d+(\.\d+){0,2}", step["uses"]) for step in steps if "uses" in step)
