"""Asks for a key before anything else of a request is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.key_file import KeyEntry
from app.access.keyring import Keyring
from app.access.policy import OPEN, needed
from app.problems import Problem

EXAMPLE = {"example": "curl -H 'Authorization: Bearer duet_…' …"}


class RequireKey:
    """ASGI middleware: answers 401 or 403, or passes on with the key's name as `request.state.actor`.

    Without a keyring everything is open and the actor is None; so it is where a path needs no key.
    """

    def __init__(self, app: ASGIApp, keyring: Keyring | None) -> None:
        self._app = app
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            try:
                actor = self._actor(scope)
            except Problem as problem:
                await problem.response(scope["path"])(scope, receive, send)
                return
            scope.setdefault("state", {})["actor"] = actor
        await self._app(scope, receive, send)

    def _actor(self, scope: Scope) -> str | None:
        """The name of the key, None where none is needed. Raises Problem key-missing, key-unknown, scope-missing."""
        if self._keyring is None:
            return None
        required = needed(scope["method"], _route_path(scope))
        if required == OPEN:
            return None
        entry = self._entry(Headers(scope=scope), self._keyring)
        if required is not None and not entry.allows(required):
            raise Problem(
                "scope-missing",
                f"The key {entry.name!r} has not the scope {required!r}, which this request needs.",
                {"got": sorted(entry.scopes), "allowed": sorted({required, "admin"})},
                _challenge(f'error="insufficient_scope", scope="{required}"'),
            )
        return entry.name

    def _entry(self, headers: Headers, keyring: Keyring) -> KeyEntry:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            key = headers.get("x-api-key", "")
        if not key.strip():
            detail = "This service asks for an API key, and the request has none."
            raise Problem("key-missing", detail, EXAMPLE, _challenge())
        entry = keyring.find(key.strip())
        if entry is None:
            detail = "The key is not one of this service's: it was mistyped or revoked."
            raise Problem("key-unknown", detail, EXAMPLE, _challenge('error="invalid_token"'))
        return entry


def _challenge(rest: str = "") -> dict[str, str]:
    """RFC 6750: how to ask again."""
    return {"WWW-Authenticate": ", ".join(['Bearer realm="duet"', *filter(None, [rest])])}


def _route_path(scope: Scope) -> str:
    """The path as the routes see it: behind a proxy that adds a prefix, without the prefix."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
