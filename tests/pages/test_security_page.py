"""docs/security.md names a proof for every attack, and the proof is there."""

from __future__ import annotations

import re

from tests.pages.blocks import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of the table of attacks."""
    table = PAGE.partition("## Attacks")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_attack_has_a_proof_that_exists() -> None:
    assert len(rows()) > 12
    for attack, _, proof in rows():
        named = re.findall(r"`(tests/[\w/]+\.py)`", proof)
        assert named, attack
        for file in named:
            assert "def test_" in (ROOT / file).read_text(encoding="utf-8"), file


def test_the_settings_it_names_exist() -> None:
    from app.settings import Settings

    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in set(re.findall(r"DUET_([A-Z_]+)", PAGE)):
        assert name.lower() in Settings.model_fields or f"DUET_{name}" in compose, name
