"""The route that a request took, as it is named in log lines, spans and metrics."""

from __future__ import annotations

from starlette.types import Scope

UNMATCHED = "unmatched"
IN_A_SPACE = "/spaces/{space}"


def route_of(scope: Scope) -> str:
    """The template of the path, such as "/classes/{class_id}", once the request was routed; "unmatched" for none.

    The framework names the route of a router without the prefix that the router was included with.
    """
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return UNMATCHED
    prefixed = "space" in scope.get("path_params", {}) and "{space}" not in path
    return f"{IN_A_SPACE}{path}" if prefixed else str(path)
