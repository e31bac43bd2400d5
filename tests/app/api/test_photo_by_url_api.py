"""Photos named by their URL, through every route that takes them; off unless the operator turns it on."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.fetch.fetcher import PhotoFetcher
from app.fetch.targets import Rules
from app.main import create_app
from app.model_swap import ModelSwap
from app.settings import Settings
from tests.app.fetch.photo_server import PhotoServer, answer, redirect, serving
from tests.app.fetch.test_fetcher import loopback, names
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture_bytes

RED = picture_bytes("red")
MOST = 20_000
ANSWERS: dict[str, Any] = {
    "/red.png": answer(RED, Content_Type="text/html"),
    "/moved": redirect("/red.png"),
    "/inside": redirect("http://169.254.169.254/latest/meta-data/"),
    "/other-port": redirect("http://images.example:22/"),
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
    "/huge": answer(b"\x89PNG" * MOST),
    "/page": answer(b"<html>root:x:0:0</html>", Content_Type="image/png"),
}


def bodies(url: str) -> dict[str, dict[str, Any]]:
    """Path -> the JSON that names a photo there."""
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [url]}
    return {
        "/classify": {"url": url},
        "/spaces/garden/classify": {"url": url},
        "/explain": {"url": url},
        "/explain/map": {"url": url},
        "/hf/zero-shot-image-classification": {
            "inputs": url,
            "parameters": {"candidate_labels": ["red-bird", "green-bird"]},
        },
        "/v2/models/tiny/infer": {"inputs": [image]},
    }


Story = Callable[[httpx.AsyncClient, PhotoServer], Awaitable[None]]


def with_fetching(bundle: Path, folder: Path, story: Story) -> None:
    """Run a story beside an application that may fetch from a server on loopback, called images.example."""

    async def run() -> None:
        settings = Settings(bundle=bundle, store=f"sqlite:///{folder}/classes.sqlite", max_bytes=MOST)
        app = create_app(settings)
        async with app.router.lifespan_context(app), serving(ANSWERS) as server:
            fetcher = PhotoFetcher(
                Rules(ports=(80, server.port)), most=MOST, seconds=20, allowed=loopback, resolve=names(["127.0.0.1"])
            )
            app.state.models = ModelSwap(dataclasses.replace(app.state.models.service, fetcher=fetcher))
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                await story(client, server)
            fetcher.close()

    asyncio.run(run())


def test_every_route_that_takes_a_photo_takes_its_url(tiny_bundle: Path, tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, server: PhotoServer) -> None:
        for path, body in bodies(f"http://images.example:{server.port}/moved").items():
            got = await client.post(path, json=body)
            assert got.status_code == 200, (path, got.text)
        sent = (await client.post("/classify", files={"image": RED})).json()
        found = (await client.post("/classify", json={"url": f"http://images.example:{server.port}/red.png"})).json()
        assert found["predictions"] == sent["predictions"]

    with_fetching(tiny_bundle, tmp_path, story)


def test_what_went_wrong_is_not_told_when_it_would_tell_of_the_inside(tiny_bundle: Path, tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient, server: PhotoServer) -> None:
        here, told = f"http://images.example:{server.port}", set()
        for url in (
            f"{here}/inside",
            f"{here}/404",
            f"{here}/other-port",
            f"{here}/cut",
            "http://10.0.0.1/",
            "http://[::1]/",
            f"http://127.0.0.2:{server.port}/",
        ):
            problem = (await client.post("/classify", json={"url": url})).json()
            told.add((problem["status"], problem["type"], problem["detail"]))
        assert told == {(422, "/problems/photo-not-fetched", "No photo could be fetched from the URL.")}
        page = (await client.post("/classify", json={"url": f"{here}/page"})).json()
        assert page["type"] == "/problems/unsupported-media-type"
        assert "root" not in str(page)
        huge = (await client.post("/classify", json={"url": f"{here}/huge"})).json()
        assert (huge["type"], huge["detail"]) == (
            "/problems/body-too-large",
            f"The photo at the URL has more than {MOST} bytes.",
        )

    with_fetching(tiny_bundle, tmp_path, story)


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({"url": "file:///etc/passwd"}, "url-refused"),
        ({"url": "http://images.example:22/"}, "url-refused"),
        ({"url": "http://a@images.example/"}, "url-refused"),
        ({"url": "x" * 3000}, "invalid-request"),
        ({"url": 3}, "invalid-request"),
        ({"image": "x"}, "invalid-request"),
        ({}, "invalid-request"),
        ([], "invalid-json"),
    ],
)
def test_bodies_without_a_url_to_follow(tiny_bundle: Path, tmp_path: Path, body: Any, slug: str) -> None:
    async def story(client: httpx.AsyncClient, server: PhotoServer) -> None:
        problem = (await client.post("/classify", json=body)).json()
        assert (problem["status"], problem["type"]) == (422, f"/problems/{slug}")
        assert server.heads == []

    with_fetching(tiny_bundle, tmp_path, story)


def test_it_is_off_unless_asked_for(client: httpx.Client) -> None:
    for path, body in bodies("https://images.example/bird.jpg").items():
        problem = client.post(path, json=body).json()
        assert (problem["status"], problem["type"]) == (422, "/problems/no-image"), path
        assert "not fetched" in problem["detail"]


def test_a_service_that_fetches_does_not_fetch_from_its_own_machine(tiny_bundle: Path, tmp_path: Path) -> None:
    service = ServiceProcess(
        tmp_path,
        bundle=tiny_bundle,
        store=f"sqlite:///{tmp_path}/classes.sqlite",
        fetch_urls="true",
        fetch_ports="[80, 443, 8000, 65000]",
    )
    service.start()
    try:
        for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"):
            problem = service.client.post("/classify", json={"url": f"http://{host}:8000/livez"}).json()
            assert problem["type"] == "/problems/photo-not-fetched", host
        assert (
            service.client.post("/classify", json={"url": "http://2130706433/"}).json()["type"]
            == "/problems/url-refused"
        )
    finally:
        service.close()
