"""Fetching against real servers on loopback, which only the tests' own predicate lets it reach."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from app.fetch.addresses import Address, is_public
from app.fetch.fetcher import FetchUnavailable, NotFetched, PhotoFetcher, PhotoTooLarge, Resolve
from app.fetch.targets import Rules, UrlRefused
from tests.app.fetch.photo_server import PhotoServer, answer, make_certificate, redirect, serving

PHOTO = b"\xff\xd8 a photo"
NAMED = "images.example"


def loopback(address: Address) -> bool:
    """What tests may connect to: their own servers, and nothing else that is not public."""
    return address == ip_address("127.0.0.1") or is_public(address)


def names(*answers: Sequence[str]) -> Resolve:
    """A resolver that gives these answers, one after the other; the last one for ever."""
    left = list(answers)

    async def resolve(host: str, _port: int) -> Sequence[Address]:
        assert host.endswith(".example"), "addresses are not looked up"
        found = left.pop(0) if len(left) > 1 else left[0]
        return [ip_address(address) for address in found]

    return resolve


def fetcher(server: PhotoServer, **changes: Any) -> PhotoFetcher:
    """A fetcher that may reach `server` under any name."""
    given: dict[str, Any] = {"most": 1000, "seconds": 20, "allowed": loopback, "resolve": names(["127.0.0.1"])}
    ports = tuple({80, 443, server.port})
    return PhotoFetcher(Rules(ports=ports), **(given | changes))


async def outcome(using: PhotoFetcher, url: str) -> bytes | str:
    """The bytes, or why there are none."""
    try:
        return await using.fetch(url)
    except (NotFetched, PhotoTooLarge, UrlRefused) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        using.close()


Story = Callable[[PhotoServer], Awaitable[Any]]


def with_server(answers: dict[str, Any], story: Story, **options: Any) -> Any:
    """Run a story beside a server."""

    async def run() -> Any:
        async with serving(answers, **options) as server:
            return await asyncio.wait_for(story(server), 60)

    return asyncio.run(run())


def test_a_photo_is_fetched_in_the_name_of_its_host() -> None:
    async def story(server: PhotoServer) -> None:
        found = await outcome(fetcher(server), f"http://{NAMED}:{server.port}/a.jpg?size=1")
        assert found == PHOTO
        (head,) = server.heads
        assert head.startswith("GET /a.jpg?size=1 HTTP/1.1\r\n")
        assert f"\r\nHost: {NAMED}:{server.port}\r\n" in head
        assert "\r\nAccept-Encoding: identity\r\n" in head
        assert "cookie" not in head.lower()
        assert "authorization" not in head.lower()

    with_server({"/a.jpg?size=1": answer(PHOTO, Content_Type="text/html")}, story)


def test_without_the_tests_predicate_loopback_is_not_asked() -> None:
    async def story(server: PhotoServer) -> None:
        for url in (f"http://{NAMED}:{server.port}/a", f"http://127.0.0.1:{server.port}/a"):
            assert await outcome(fetcher(server, allowed=is_public), url) == (
                "NotFetched: the host has an address that is not public"
            )
        real = PhotoFetcher(Rules(ports=(server.port,)), most=1000, seconds=20)  # the system's own resolver
        assert "not public" in str(await outcome(real, f"http://localhost:{server.port}/a"))
        assert server.heads == []

    with_server({"/a": answer(PHOTO)}, story)


@pytest.mark.parametrize(
    "addresses",
    [["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["fd00:ec2::254"], []],
)
def test_a_name_with_an_address_that_is_not_public_is_not_asked(addresses: list[str]) -> None:
    async def story(server: PhotoServer) -> None:
        found = await outcome(fetcher(server, resolve=names(addresses)), f"http://{NAMED}:{server.port}/a")
        assert found in (
            "NotFetched: the host has an address that is not public",
            "NotFetched: the name has no address",
        )
        assert server.heads == []

    with_server({"/a": answer(PHOTO)}, story)


def test_the_name_is_looked_up_once_so_rebinding_it_does_nothing() -> None:
    asked = 0

    async def rebinding(_host: str, _port: int) -> Sequence[Address]:
        nonlocal asked
        asked += 1
        return [ip_address("127.0.0.1" if asked == 1 else "169.254.169.254")]

    async def story(server: PhotoServer) -> None:
        assert await outcome(fetcher(server, resolve=rebinding), f"http://{NAMED}:{server.port}/a") == PHOTO
        assert asked == 1

    with_server({"/a": answer(PHOTO)}, story)


def test_a_redirect_is_checked_as_the_first_url_was() -> None:
    """The name leads elsewhere at the second look, as a rebound one would."""

    async def story(server: PhotoServer) -> None:
        again = fetcher(server, resolve=names(["127.0.0.1"], ["10.0.0.1"]))
        url = f"http://{NAMED}:{server.port}/relative"
        assert await outcome(again, url) == "NotFetched: the host has an address that is not public"
        assert len(server.heads) == 1
        assert await outcome(fetcher(server), url) == PHOTO
        assert "cookie" not in "".join(server.heads).lower()

    with_server({"/relative": redirect("a"), "/a": answer(PHOTO)}, story)


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "the host has an address that is not public"),
        ("http://[::ffff:a9fe:a9fe]/", "the host has an address that is not public"),
        ("http://[::1]/", "the host has an address that is not public"),
        ("//10.0.0.1/", "the host has an address that is not public"),
        ("http://2852039166/", "the host '2852039166' is neither a name nor an address"),
        ("http://images.example:6379/", "port 6379 is not connected to"),
        ("file:///etc/passwd", "the scheme 'file' is not read"),
        ("http://a:b@images.example/", "the URL holds a user name or password"),
        ("/around", "redirected more than 3 times"),
        ("/404", "status 404"),
    ],
)
def test_redirects_lead_nowhere_they_should_not(to: str, reason: str) -> None:
    async def story(server: PhotoServer) -> None:
        found = await outcome(fetcher(server), f"http://{NAMED}:{server.port}/go")
        assert found == f"NotFetched: {reason}" or (isinstance(found, str) and reason in found)
        assert len(server.heads) <= 4

    with_server({"/go": redirect(to), "/around": redirect("/around")}, story)


def test_https_is_checked_against_the_name_and_never_left(tmp_path: Path) -> None:
    context, trusting = make_certificate(tmp_path, NAMED)

    async def story(server: PhotoServer) -> None:
        def using() -> PhotoFetcher:
            return fetcher(server, context=trusting)

        assert await outcome(using(), f"https://{NAMED}:{server.port}/a") == PHOTO
        other = await outcome(using(), f"https://other.example:{server.port}/a")
        assert other == "NotFetched: no address takes the connection"  # its certificate is another's
        assert "address takes" in str(await outcome(fetcher(server), f"https://{NAMED}:{server.port}/a"))
        assert (
            await outcome(using(), f"https://{NAMED}:{server.port}/down") == "NotFetched: redirected from https to http"
        )
        assert len(server.heads) == 2

    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the server's side of refused handshakes
    with_server({"/a": answer(PHOTO), "/down": redirect(f"http://{NAMED}/")}, story, context=context)


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()


async def _slow(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def _promises(writer: asyncio.StreamWriter) -> None:
    while not writer.transport.is_closing():
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silent(writer: asyncio.StreamWriter) -> None:
    while not writer.transport.is_closing():
        await asyncio.sleep(0.05)


async def _cut(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx")
    await writer.drain()


@pytest.mark.parametrize(
    ("given", "seconds", "expected"),
    [
        (answer(b"x" * 1000), 20, b"x" * 1000),
        (answer(b"x" * 1001), 20, "PhotoTooLarge: more than 1000 bytes"),
        (_endless, 20, "PhotoTooLarge: more than 1000 bytes"),
        (_slow, 0.5, "NotFetched: TimeoutError"),
        (_promises, 0.5, "NotFetched: TimeoutError"),
        (_silent, 0.5, "NotFetched: "),
        (_cut, 20, "NotFetched: RemoteProtocolError"),
        (answer(b"\x1f\x8b" + b"x" * 100, Content_Encoding="gzip"), 20, "NotFetched: compressed"),
        (answer(b"", "204 No Content"), 20, "NotFetched: status 204"),
        (answer(b"secret", "403 Forbidden"), 20, "NotFetched: status 403"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", 20, "NotFetched: RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", 20, "NotFetched: RemoteProtocolError"),
    ],
)
def test_bodies_have_a_size_and_a_time(given: Any, seconds: float, expected: bytes | str) -> None:
    async def story(server: PhotoServer) -> None:
        found = await outcome(fetcher(server, seconds=seconds), f"http://{NAMED}:{server.port}/a")
        assert found == expected or (isinstance(found, str) and found.startswith(str(expected)))

    with_server({"/a": given}, story)


def test_a_resolver_that_hangs_is_waited_for_only_so_long() -> None:
    async def hanging(_host: str, _port: int) -> Sequence[Address]:
        await asyncio.sleep(60)
        return []

    async def story(server: PhotoServer) -> None:
        found = await outcome(fetcher(server, seconds=0.2, resolve=hanging), f"http://{NAMED}/a")
        assert found == "NotFetched: TimeoutError"

    with_server({}, story)


def test_the_next_address_is_tried_where_the_first_takes_no_connection() -> None:
    async def story(server: PhotoServer) -> None:
        refusing = {"resolve": names(["127.0.0.2", "127.0.0.1"]), "allowed": lambda _: True}  # nothing listens on .2
        assert await outcome(fetcher(server, **refusing), f"http://{NAMED}:{server.port}/a") == PHOTO

    with_server({"/a": answer(PHOTO)}, story)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(server: PhotoServer) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert await outcome(fetcher(server), f"http://{NAMED}:{server.port}/a") == PHOTO

    with_server({"/a": answer(PHOTO)}, story)


def test_the_log_names_the_host_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def story(server: PhotoServer) -> None:
        await outcome(fetcher(server), f"http://{NAMED}:{server.port}/secret?token=secret")

    with caplog.at_level(logging.INFO, "duet.fetch"):
        with_server({}, story)
    assert caplog.messages == ["no photo from host 'images.example': status 404"]


def test_without_httpx_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(FetchUnavailable, match=r"DUET_FETCH_URLS needs httpx.*requirements/client\.txt"):
        PhotoFetcher(Rules(), most=1, seconds=1)
