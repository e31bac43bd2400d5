"""/gallery: the shipped pictures for models they suit, the operator's folder, and nothing else of that folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.main import create_app
from app.settings import Settings
from app.web.gallery import SHIPPED, GalleryError, read_gallery
from duet_core.runtime import open_bundle
from tests.service_process import ROOT
from tests.tiny_bundle import picture_bytes

Serve = Callable[[Path], TestClient]


@pytest.fixture
def serve(tiny_bundle: Path, tmp_path: Path) -> Iterator[Serve]:
    """A service whose gallery is the given folder."""
    clients = []

    def start(folder: Path) -> TestClient:
        store = f"sqlite:///{tmp_path}/classes.sqlite"
        clients.append(TestClient(create_app(Settings(bundle=tiny_bundle, store=store, gallery=folder))).__enter__())
        return clients[-1]

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def test_shipped_pictures_are_free_and_suit_the_demo_model() -> None:
    listing = read_gallery(SHIPPED)
    assert len(listing.pictures) >= 3
    for picture in listing.pictures:
        assert re.search(r"CC0|public domain", picture.credit), picture.file
        assert picture.source
        with Image.open(SHIPPED / picture.file) as opened:
            assert opened.size == (640, 640)
            assert not opened.getexif()
    assert {path.name for path in SHIPPED.iterdir()} == {p.file for p in listing.pictures} | {"gallery.json"}
    assert listing.needs_attribute in open_bundle(ROOT / "models/birds").schema.keys


def test_a_model_of_something_else_offers_no_birds(client: httpx.Client) -> None:
    answer = client.get("/gallery").raise_for_status()
    assert answer.json() == {"pictures": []}
    assert answer.headers["cache-control"] == "no-cache"


def test_the_operators_folder(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    folder.mkdir()
    (folder / "red-bird_2.png").write_bytes(picture_bytes("red"))
    (folder / "secret.txt").write_text("not a picture")
    client = serve(folder)
    listed = client.get("/gallery").json()["pictures"]
    assert [(picture["file"], picture["label"]) for picture in listed] == [("red-bird_2.png", "Red bird 2")]
    picture = client.get("/gallery/red-bird_2.png")
    assert picture.content == picture_bytes("red")
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["cache-control"] == "public, max-age=3600"
    for name in ("secret.txt", "..%2Fclasses.sqlite", "missing.png", "gallery.json"):
        assert client.get(f"/gallery/{name}").status_code == 404, name


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        ({"pictures": [{"file": "a.png", "label": "A"}]}, "names 'a.png', which is not in the folder"),
        ({"pictures": [{"file": "../a.png", "label": "A"}]}, "gallery.json"),
        ({"pictures": [{"file": "a.png"}]}, "label"),
        ([], "gallery.json"),
    ],
)
def test_a_wrong_listing_is_refused_at_the_start(listing: object, told: str, tmp_path: Path) -> None:
    (tmp_path / "gallery.json").write_text(json.dumps(listing))
    with pytest.raises(GalleryError, match=re.escape(told)):
        create_app(Settings(gallery=tmp_path))


def test_a_missing_folder_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="is no folder"):
        create_app(Settings(gallery=tmp_path / "nothing"))
