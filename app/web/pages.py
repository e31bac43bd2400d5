"""The page at `/` and the API's own page at `/docs`, both without a request to anyone else."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent / "static"
POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
DOCS_POLICY = POLICY.replace("default-src 'self'", "default-src 'self' 'unsafe-inline'")
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


@router.get("/")
async def home() -> FileResponse:
    """The page for people: drop a photo, see what it shows."""
    return FileResponse(STATIC / "index.html", headers=HEADERS)


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
    page.headers["Content-Security-Policy"] = DOCS_POLICY
    return page


def mount_assets(app: FastAPI) -> None:
    """Serve our files under /assets and those of the package fastapi-offline under /assets/swagger."""
    app.mount("/assets/swagger", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="swagger")
    app.mount("/assets", StaticFiles(directory=STATIC), name="assets")
