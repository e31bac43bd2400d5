"""Which scope each route needs: every route is named here, and what is not named needs `admin`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from app.access.policy import needed
from app.main import create_app
from app.settings import Settings
from app.web import gallery, pages

IN_A_SPACE = {
    "POST /classify": "classify",
    "GET /explain": "classify",
    "POST /explain": "classify",
    "POST /explain/map": "classify",
    "GET /classes": None,
    "POST /classes": "manage",
    "GET /classes/{class_id}": None,
    "PUT /classes/{class_id}": "manage",
    "PATCH /classes/{class_id}": "manage",
    "DELETE /classes/{class_id}": "manage",
    "POST /import": "manage",
    "GET /export": None,
    "GET /calibration": None,
    "POST /calibration": "manage",
    "DELETE /calibration": "manage",
    "GET /log": "manage",
}
NEEDS = {
    "GET /": "open",
    "GET /docs": "open",
    "GET /favicon.ico": "open",
    "GET /gallery": "open",
    "GET /gallery/{name}": "open",
    "GET /livez": "open",
    "GET /readyz": "open",
    "GET /metrics": "open",
    "GET /problems/{slug}": "open",
    "POST /hf/zero-shot-image-classification": "classify",
    "GET /v2": None,
    "GET /v2/health/live": "open",
    "GET /v2/health/ready": "open",
    "GET /v2/models/{model}": None,
    "GET /v2/models/{model}/ready": "open",
    "POST /v2/models/{model}/infer": "classify",
    "GET /attributes": None,
    "GET /model": None,
    "POST /admin/model": "admin",
    "GET /spaces": None,
    "POST /spaces": "admin",
    "GET /spaces/{name}": None,
    "PATCH /spaces/{name}": "admin",
    "DELETE /spaces/{name}": "admin",
    **IN_A_SPACE,
    **{route.replace(" ", " /spaces/{space}"): need for route, need in IN_A_SPACE.items()},
}


def test_every_route_has_the_scope_it_should() -> None:
    documented = create_app(Settings(bundle=Path("unused"))).openapi()["paths"]
    routes = [(method.upper(), path) for path, methods in documented.items() for method in methods]
    routes += [
        ("GET", route.path)
        for router in (pages.router, gallery.router)
        for route in router.routes
        if isinstance(route, APIRoute)
    ]
    found = {f"{method} {path}": needed(method, path.replace("{", "").replace("}", "")) for method, path in routes}
    assert found == NEEDS


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/openapi.json", "open"),
        ("GET", "/assets/js/main.js", "open"),
        ("GET", "/assets/swagger/swagger-ui.css", "open"),
        ("POST", "/brand-new", "admin"),
        ("GET", "/brand-new", "admin"),
        ("GET", "/assetsx", "admin"),
        ("GET", "/livez/", "admin"),
        ("GET", "//livez", "admin"),
        ("GET", "/x/livez", "admin"),
        ("DELETE", "/classify", "admin"),
        ("GET", "/spaces/garden/classes/dodo", None),
        ("PATCH", "/spaces/garden/classes/dodo", "manage"),
        ("DELETE", "/spaces/garden", "admin"),
        ("OPTIONS", "/classes", "admin"),
    ],
)
def test_paths_near_the_rules(method: str, path: str, need: str | None) -> None:
    assert needed(method, path) == need
