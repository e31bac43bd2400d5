"""Which scope a request needs. What no rule names needs `admin`, so a forgotten rule shuts a door and opens none."""

from __future__ import annotations

import re
from typing import Final, Literal

from app.access.key_file import Scope

Need = Scope | Literal["open"] | None

OPEN: Final = "open"
ANY_KEY: Final = None

_READ = ("GET", "HEAD")
_NAME = r"[^/]+"
_SPACE = rf"(?:/spaces/{_NAME})?"
"""What is asked of a class space has the same rules in every one."""

_ANYTHING = re.compile(
    r"/|/favicon\.ico|/docs|/openapi\.json|/assets/.*|/livez|/readyz|/metrics|/problems/.*|/gallery(?:/.*)?"
    rf"|/v2/health/(?:live|ready)|/v2/models/{_NAME}/ready"
)
"""Health, metrics, and pages that hold nothing but themselves: a browser gets the page before it can send a key."""

_RULES: tuple[tuple[tuple[str, ...], str, Scope | None], ...] = (
    (("POST",), rf"{_SPACE}/(?:classify|explain/map)", "classify"),
    ((*_READ, "POST"), rf"{_SPACE}/explain", "classify"),
    (_READ, rf"/model|{_SPACE}/(?:calibration|export)", ANY_KEY),
    (("POST", "DELETE"), rf"{_SPACE}/calibration", "manage"),
    (("POST",), rf"{_SPACE}/import", "manage"),
    (_READ, rf"{_SPACE}/log", "manage"),
    (("POST",), r"/hf/zero-shot-image-classification", "classify"),
    (("POST",), rf"/v2/models/{_NAME}/infer", "classify"),
    (_READ, rf"/v2|/v2/models/{_NAME}", ANY_KEY),
    (("POST",), r"/admin/model", "admin"),
    (_READ, rf"/attributes|/spaces(?:/{_NAME})?|{_SPACE}/classes(?:/.*)?", ANY_KEY),
    (("POST", "PUT", "PATCH", "DELETE"), rf"{_SPACE}/classes(?:/.*)?", "manage"),
)
_COMPILED = tuple((methods, re.compile(pattern), scope) for methods, pattern, scope in _RULES)


def needed(method: str, path: str) -> Need:
    """`OPEN` for what needs no key, `ANY_KEY` for what every key opens, else the scope.

    >>> needed("GET", "/livez"), needed("GET", "/classes"), needed("DELETE", "/classes/dodo"), needed("POST", "/new")
    ('open', None, 'manage', 'admin')
    """
    if _ANYTHING.fullmatch(path):
        return OPEN
    for methods, pattern, scope in _COMPILED:
        if method in methods and pattern.fullmatch(path):
            return scope
    return "admin"
