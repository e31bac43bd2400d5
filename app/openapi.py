"""The OpenAPI document: what FastAPI derives from the routes, and the keys and scopes that the routes do not know.

`python -m app.openapi` prints it as docs/openapi.json holds it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI

from app.access.policy import ANY_KEY, OPEN, needed
from app.settings import Settings

SCHEMES: dict[str, Any] = {
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, where the service asks for one. Scopes: `classify`, `manage`, `admin` (all).",
    },
    "Header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same in another header."},
}


def install(app: FastAPI) -> None:
    """Complete the document of `app`, which is made once, when it is first asked for."""
    derive = app.openapi

    def complete() -> dict[str, Any]:
        document = derive()
        document.setdefault("components", {})["securitySchemes"] = SCHEMES
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                operation["security"] = _security(method.upper(), path.replace("{", "").replace("}", ""))
        return document

    app.openapi = complete  # type: ignore[method-assign]  # as FastAPI's own guide does


def text() -> str:
    """The document as it is checked in; it depends on no setting."""
    from app.main import create_app

    document = create_app(Settings.model_construct()).openapi()
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _security(method: str, path: str) -> list[dict[str, list[str]]]:
    """None needed, or one of the two headers with a key of this scope; none either where the service has no keys."""
    need = needed(method, path)
    if need == OPEN:
        return []
    roles: list[str] = [] if need is ANY_KEY else [need]
    return [{}, *({scheme: roles} for scheme in SCHEMES)]


if __name__ == "__main__":
    sys.stdout.write(text())
