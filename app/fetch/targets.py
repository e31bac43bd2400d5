"""A URL taken apart once: what is checked here is what is connected to, so that no second parser can differ."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from app.fetch.addresses import Address

LONGEST = 2048
"""Characters of a URL."""
PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*")
EXAMPLE = "https://images.example/bird.jpg"


class UrlRefused(ValueError):
    """A URL this service does not follow, whatever lies there. The message repeats nothing but the URL's own parts."""


@dataclass(frozen=True)
class Rules:
    """What the operator allows.

    Attributes:
        hosts: names, or `*.name` for everything below a name; empty for any host with a public address.
        ports: those that may be connected to.
    """

    hosts: Collection[str] = ()
    ports: Collection[int] = (80, 443)


@dataclass(frozen=True)
class Target:
    """Where a URL leads. `host` is a name in lower case and ASCII, or an address; `path` begins with / and is ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def address(self) -> Address | None:
        """The address that stands in the URL itself; None for a name."""
        return address_of(self.host)


def address_of(host: str) -> Address | None:
    """The address a host is, written as the standards have it (no 0x7f.1, no 0177.1, no zone); None for others."""
    if "%" in host:
        return None
    for kind in (IPv4Address, IPv6Address):
        try:
            return kind(host)
        except AddressValueError:
            continue
    return None


def read_target(url: str, rules: Rules) -> Target:
    """Where a URL leads. Raises UrlRefused."""
    import httpx

    if len(url) > LONGEST:
        raise UrlRefused(f"the URL has {len(url)} characters; at most {LONGEST} are read")
    try:
        parts = httpx.URL(url)
        host = parts.raw_host.decode("ascii").lower().removesuffix(".")
        path = parts.raw_path.decode("ascii") or "/"
    except (httpx.InvalidURL, ValueError):  # also of names that are none in IDNA
        raise UrlRefused(f"not a URL; send one such as {EXAMPLE}") from None
    if parts.scheme not in PORTS:
        raise UrlRefused(f"the scheme {parts.scheme[:20]!r} is not read; allowed are http and https")
    if parts.userinfo:
        raise UrlRefused("the URL holds a user name or password; send one without")
    _check_host(host, rules)
    port = PORTS[parts.scheme] if parts.port is None else parts.port
    if port not in rules.ports:
        raise UrlRefused(f"port {port} is not connected to; allowed are {sorted(rules.ports)}")
    return Target(parts.scheme, host, port, path)


def _check_host(host: str, rules: Rules) -> None:
    """Raises UrlRefused."""
    last = host.rpartition(".")[2]
    numeric = last.isdigit() or last.startswith("0x")
    if address_of(host) is None and (numeric or not _NAME.fullmatch(host)):
        raise UrlRefused(f"the host {host[:80]!r} is neither a name nor an address such as 192.0.2.1")
    if rules.hosts and not any(_matches(host, pattern) for pattern in rules.hosts):
        raise UrlRefused(f"the host {host[:80]!r} is not one that this service fetches from")


def _matches(host: str, pattern: str) -> bool:
    pattern = pattern.lower().removesuffix(".")
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
