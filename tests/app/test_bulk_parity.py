"""A photo has one answer, whether it is sent over HTTP or lies in a folder of `duet bulk`."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from app.settings import Settings
from duet_core.cli import main
from duet_core.commands import bulk
from tests.duet_core.bulk.stopped import command, stopped_after
from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, picture_bytes

NEW = {
    "blue-bird": ALL_BLUE,
    "white-bird": {"wing color: red": 0.4, "wing color: blue": 0.5, "crown color: green": 0.9, "size: large": 0.3},
    "striped-bird": {"wing pattern: striped": 1.0, "crown color: blue": 0.25},
}


@pytest.fixture
def taught(client: httpx.Client, space: str) -> str:
    """A class space with classes of each kind, a seen class renamed, one hidden, and a γ of its own."""
    for class_id, attributes in NEW.items():
        new = {"id": class_id, "label": f"The {class_id}", "attributes": attributes}
        assert client.post("/classes", params={"space": space}, json=new).status_code == 201
    prompt = {"id": "told-bird", "label": "Told", "prompt": "a tiny bird with azure wings and a crimson crown"}
    assert client.post("/classes", params={"space": space}, json=prompt).status_code == 201
    renamed, hidden = {"label": "The red one"}, {"hidden": True}
    assert client.patch("/classes/red-bird", params={"space": space}, json=renamed).status_code == 200
    assert client.patch("/classes/green-bird", params={"space": space}, json=hidden).status_code == 200
    assert client.patch(f"/spaces/{space}", json={"gamma": 0.07}).status_code == 200
    return space


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of every kind and size, and some that no service takes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, kind in enumerate(("JPEG", "PNG", "WEBP") * 4):
        size = (int(random.integers(20, 900)), int(random.integers(20, 900)))
        noise = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(size)
        image = noise.convert(("RGB", "L", "RGB", "RGB")[number % 4])
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        data = io.BytesIO()
        image.save(data, format=kind, exif=exif)
        (folder / f"{number:02}.{kind.lower()}").write_bytes(data.getvalue())
    for colour in ("red", "blue", "white"):
        (folder / f"{colour}.png").write_bytes(picture_bytes(colour))
    (folder / "cut.jpeg").write_bytes((folder / "00.jpeg").read_bytes()[:400])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"hello")
    Image.new("L", (10_001, 300)).save(folder / "wide.png")
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    return folder


def asked(client: httpx.Client, file: Path, **query: Any) -> dict[str, Any]:
    """The service's answer or problem."""
    answer: dict[str, Any] = client.post("/classify", params=query, files={"image": file.read_bytes()}).json()
    return answer


@pytest.mark.parametrize("source", ["file.jsonl", "file.csv", "server"])
def test_bulk_answers_as_the_service_does(
    source: str, service: ServiceProcess, taught: str, folder: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    out, words = tmp_path / "p.parquet", ["--server", service.url, "--space", taught]
    if source != "server":
        assert main(["classes", "export", str(tmp_path / source), *words]) == 0
        words = ["--classes", str(tmp_path / source), "--gamma", "0.07"]
    assert main(["bulk", str(folder), "--bundle", str(tiny_bundle), "--out", str(out), "--top-k", "8", *words]) == 0
    rows = parquet.read_table(out).to_pylist()
    assert len(rows) == 20
    for row in rows:
        answer = asked(service.client, folder / row["path"], space=taught, top_k=8)
        if row["status"] == "refused":
            assert answer["type"].endswith(f"/{row['reason']}"), (row, answer)
            assert row["detail"].split(";")[0].split(":")[0] in answer["detail"], (row, answer)
            continue
        assert row["gamma"] == answer["model"]["gamma"] == 0.07
        assert row["model"] == answer["model"]["id"]
        assert row["accepted"] == answer["decision"]["accepted"]
        assert row["evidence"] == pytest.approx(answer["decision"]["score"], abs=1e-6)
        assert [p["class_id"] for p in row["predictions"]] == [p["class_id"] for p in answer["predictions"]]
        for mine, other in zip(row["predictions"], answer["predictions"], strict=True):
            assert (mine["label"], mine["seen"]) == (other["label"], other["seen"])
            for number in ("probability", "score", "calibrated_score"):
                assert mine[number] == pytest.approx(other[number], abs=1e-6)
    assert {row["reason"] for row in rows} == {
        None, "broken-image", "no-image", "unsupported-media-type", "image-too-large"
    }  # fmt: skip


def test_a_job_keeps_the_classes_of_the_service_it_began_with(
    service: ServiceProcess, taught: str, folder: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """What is registered while a job stands still is not in it, not even when the service is gone."""
    out = tmp_path / "p.parquet"
    more = ("--server", service.url, "--space", taught)
    assert stopped_after(1, folder, tiny_bundle, out, *more) == 1
    late = {"id": f"late-{uuid.uuid4().hex[:6]}", "label": "Late", "attributes": ALL_BLUE}
    assert service.client.post("/classes", params={"space": taught}, json=late).status_code == 201
    assert main(command(folder, tiny_bundle, out, *more)) == 0
    rows = parquet.read_table(out).to_pylist()
    assert late["id"] not in {p["class_id"] for row in rows for p in row["predictions"] or ()}
    assert len({row["classes"] for row in rows}) == 1


def test_the_limits_are_those_of_the_service() -> None:
    fields, given = Settings.model_fields, bulk.run.__kwdefaults__ or {}
    for name in ("max_bytes", "max_pixels", "max_side", "decode_memory"):
        assert given[name] == fields[name].default
