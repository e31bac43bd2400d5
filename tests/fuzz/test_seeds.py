"""What the search for breaking files begins with."""

from __future__ import annotations

from pathlib import Path

from app.api.bodies import json_object, photo_from_base64
from app.settings import Settings
from tests.fuzz.seeds import BODIES, MOST_BYTES, write

READERS = (("form", 0, 0x56), ("JSON", 0x56, 0xAB), ("base64", 0xAB, 0x100))


def test_seeds_are_many_and_small(tmp_path: Path) -> None:
    write(tmp_path)
    photos = [path.read_bytes() for path in (tmp_path / "photos").iterdir()]
    assert len(photos) > 300
    assert max(map(len, photos)) <= MOST_BYTES
    assert {b"\xff\xd8", b"\x89P", b"RI"} <= {photo[:2] for photo in photos}
    assert len(list((tmp_path / "bodies").iterdir())) == len(BODIES)


def test_bodies_reach_what_reads_them() -> None:
    """Their first byte chooses the reader, as tests/fuzz/bodies.py does."""
    read = {kind: [body[1:] for body in BODIES if lowest <= body[0] < highest] for kind, lowest, highest in READERS}
    assert all(body.startswith(b"--x") for body in read["form"])
    assert json_object(read["JSON"][0])["id"] == "painted-bunting"
    assert photo_from_base64(read["base64"][0].decode(), Settings()).startswith(b"\x89PNG")
