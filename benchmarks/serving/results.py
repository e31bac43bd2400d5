"""Results of benchmarks as files: what was measured, on what machine, with what settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "results"


def save(name: str, result: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write `name`.json, numbers rounded to what a measurement can tell; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(_rounded(result), indent=1) + "\n", encoding="utf-8")
    return file


def load(name: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """What `save` wrote, or None when it was not measured."""
    file = folder / f"{name}.json"
    found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found


def _rounded(value: Any) -> Any:
    """Floats to five significant digits."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
