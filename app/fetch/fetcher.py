"""Fetches a photo from a URL without becoming anybody's way into the network this service stands in."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from app.fetch.addresses import Address, is_public
from app.fetch.targets import Rules, Target, UrlRefused, read_target

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("duet.fetch")

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
MOST_REDIRECTS = 3
MOST_ADDRESSES = 3
"""Of one name, tried in the resolver's order until one takes the connection."""
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"Accept": "image/jpeg, image/png, image/webp", "Accept-Encoding": "identity", "User-Agent": "duet-serving"}


class FetchUnavailable(RuntimeError):
    """The service is asked to fetch and lacks the package for it."""


class NotFetched(Exception):
    """No photo came. What a client may know is only that; the reason is for the log."""


class PhotoTooLarge(Exception):
    """More bytes than a photo may have."""


class PhotoFetcher:
    """Each connection goes to an address that was looked up once and found public; the name is not looked up again.

    Redirects are followed one by one under the same rules. Nothing is kept between fetches: no connections, no
    cookies; proxies and certificates named in the environment are not used.

    Args:
        rules: hosts and ports the operator allows.
        most: most bytes of a photo.
        seconds: longest time of a fetch, from the first look-up to the last byte, over all redirects.
        allowed: which addresses may be connected to; tests reach their own servers through it.
        resolve: addresses of a host, all of them; default the system's resolver.
        context: certificates that are trusted; default those of certifi.

    Raises FetchUnavailable where httpx is not installed.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        most: int,
        seconds: float,
        allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        try:
            import httpx
        except ImportError:
            raise FetchUnavailable(
                "DUET_FETCH_URLS needs httpx, which is not installed: pip install -r requirements/client.txt"
            ) from None
        self._rules, self._most, self._seconds = rules, most, seconds
        self._allowed, self._resolve = allowed, resolve or self._look_up
        self._context = context or httpx.create_ssl_context(trust_env=False)
        # Threads of their own: a resolver that hangs must not hold those that rank and decode.
        self._resolvers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolve")

    def close(self) -> None:
        """Wait for nothing more."""
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def fetch(self, url: str) -> bytes:
        """The bytes at a URL, whatever they are.

        Raises UrlRefused when the URL itself is not allowed; PhotoTooLarge; NotFetched for every other reason.
        """
        import httpx

        target = read_target(url, self._rules)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(target)
        except (NotFetched, UrlRefused, TimeoutError, OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) if isinstance(error, NotFetched | UrlRefused) else type(error).__name__
            log.info("no photo from host %r: %s", target.host, reason)  # not the path: it may hold a secret
            raise NotFetched(reason) from None

    async def _follow(self, target: Target) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            found = await self._ask(target)
            if isinstance(found, bytes):
                return found
            if target.scheme == "https" and found.scheme == "http":
                raise NotFetched("redirected from https to http")
            target = found
        raise NotFetched(f"redirected more than {MOST_REDIRECTS} times")

    async def _ask(self, target: Target) -> bytes | Target:
        """What lies at a target, or where it leads."""
        import httpx

        addresses = await self._addresses(target)
        transport = httpx.AsyncHTTPTransport(
            verify=self._context, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        async with transport:
            for address in addresses[:MOST_ADDRESSES]:
                try:
                    response = await transport.handle_async_request(self._request(target, address))
                except httpx.ConnectError:
                    continue
                try:
                    return await self._read(response, target)
                finally:
                    await response.aclose()
        raise NotFetched("no address takes the connection")

    async def _addresses(self, target: Target) -> Sequence[Address]:
        """All addresses of a host, each of which may be connected to: one that may not spoils the others."""
        addresses = await self._resolve(target.host, target.port) if target.address is None else [target.address]
        if not addresses:
            raise NotFetched("the name has no address")
        if not all(map(self._allowed, addresses)):
            raise NotFetched("the host has an address that is not public")
        return addresses

    def _request(self, target: Target, address: Address) -> httpx.Request:
        """A request to the address itself in the name of the host: for its Host header, and for the certificate."""
        import httpx

        place = httpx.URL(
            scheme=target.scheme, host=str(address), port=target.port, raw_path=target.path.encode("ascii")
        )
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        return httpx.Request(
            "GET",
            place,
            headers={"Host": target.authority, **_HEADERS},
            extensions={"sni_hostname": target.host, "timeout": timeout},
        )

    async def _read(self, response: httpx.Response, target: Target) -> bytes | Target:
        if response.status_code in _REDIRECTS and "location" in response.headers:
            here = f"{target.scheme}://{target.authority}{target.path}"
            return read_target(urljoin(here, response.headers["location"]), self._rules)
        if response.status_code != 200:
            raise NotFetched(f"status {response.status_code}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise NotFetched("compressed, though asked for as it is")
        data = bytearray()
        async for part in response.aiter_raw():
            data += part
            if len(data) > self._most:
                raise PhotoTooLarge(f"more than {self._most} bytes")
        return bytes(data)

    async def _look_up(self, host: str, port: int) -> Sequence[Address]:
        """All addresses the system knows of a name."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [ip_address(str(entry[4][0])) for entry in found]
