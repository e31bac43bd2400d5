"""The page at `/` and the API's own page at `/docs`, both without a request to anyone else."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse, Response

from app.web.assets import ASK_AGAIN, FOR_EVER, STATIC, KeptFiles, fingerprint, index

router = APIRouter(include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
"""Scripts and styles from our own files only, and no markup made from strings."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": ASK_AGAIN,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'sha256-{start}'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI sets styles as it goes; of scripts only its file and the one that starts it, known by its hash, run."""


@router.get("/")
async def home(request: Request) -> Response:
    """The page for people: drop a photo, see what it shows, describe what is missing."""
    page = index()
    etag = f'"{hashlib.sha256(page).hexdigest()[:16]}"'
    headers = HEADERS | {"ETag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(page, headers=headers)


@router.get("/favicon.ico")
async def favicon() -> FileResponse:
    """The icon browsers ask for unasked."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Swagger UI from installed files: FastAPI's own page would fetch it from a CDN."""
    root = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title="DUET serving: API",
        swagger_js_url=f"{root}/assets/swagger/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/assets/swagger/swagger-ui.css",
        swagger_favicon_url=f"{root}/assets/icon.svg",
        swagger_ui_parameters={"defaultModelsExpandDepth": 0, "displayRequestDuration": True},
    )
    page.headers["Content-Security-Policy"] = DOCS_POLICY.format(start=_start_hash(bytes(page.body)))
    return page


def _start_hash(page: bytes) -> str:
    """The hash of the one script that stands in the page itself, as a Content-Security-Policy names it."""
    (start,) = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return base64.b64encode(hashlib.sha256(start).digest()).decode()


def mount_assets(app: FastAPI) -> None:
    """Serve our files under /assets and those of the package fastapi-offline under /assets/swagger.

    Below a name that changes with their content they are kept for ever; that name is what the page asks for.
    """
    swagger = Path(str(files("fastapi_offline") / "static"))
    app.mount("/assets/swagger", KeptFiles(swagger, ASK_AGAIN), name="swagger")
    app.mount(f"/assets/{fingerprint()}", KeptFiles(STATIC, FOR_EVER), name="kept")
    app.mount("/assets", KeptFiles(STATIC, ASK_AGAIN), name="assets")
