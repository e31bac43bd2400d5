"""The page's own files: named after their content, so that a browser asks for each once and never shows an old one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
"""Keep it, but ask each time whether it is still the same (304 when it is)."""


@cache
def fingerprint() -> str:
    """12 hex digits that change when any of the files does."""
    digest = hashlib.sha256()
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(STATIC).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def index() -> bytes:
    """index.html with the addresses of the present files; every script is named, so that they load side by side."""
    assets = f"assets/{fingerprint()}"
    scripts = sorted(path.name for path in (STATIC / "js").glob("*.js"))
    preload = "\n    ".join(f'<link rel="modulepreload" href="{assets}/js/{name}">' for name in scripts)
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    return page.replace("{preload}", preload).replace("{assets}", assets).encode()


class KeptFiles(StaticFiles):
    """Static files with one Cache-Control for all of them."""

    def __init__(self, directory: Path, cache_control: str) -> None:
        super().__init__(directory=directory)
        self._headers = {"Cache-Control": cache_control, "X-Content-Type-Options": "nosniff"}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file, or 304."""
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        return response
