"""Reading the files of the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def read_yaml(path: Path | str) -> Any:
    """The one document of a YAML file of the repository."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def read_documents(text: str) -> list[dict[str, Any]]:
    """All documents of a YAML stream."""
    return [document for document in yaml.safe_load_all(text) if document is not None]
