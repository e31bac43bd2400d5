"""Registered classes under another bundle: kept, made anew for its attributes, or left out, and never wrong or lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.tiny_bundle import ALL_BLUE, OTHER_SCHEMA, SEEN, degrees, picture_bytes, write_tiny_bundle

BLUE = {"wing color: blue": 1.0, "crown color: blue": 1.0}
CARRIED: dict[str, dict[str, Any]] = {
    "vector": {"attributes": degrees(BLUE | {"size: small": 0.5}).tolist()},
    "mapping": {"attributes": BLUE},
    "sentence": {"prompt": "a small blue bird with a blue crown, a lovely one"},
    "exact": {"prompt": "wing color: blue | crown color: blue"},
}
LEFT: dict[str, tuple[dict[str, Any], str]] = {
    "patterned-vector": ({"attributes": degrees(ALL_BLUE).tolist()}, "'wing pattern: solid', unknown here"),
    "patterned-mapping": (
        {"attributes": {"wing pattern: spotted": 1.0}},
        "unknown attributes: 'wing pattern: spotted'",
    ),
    "patterned-sentence": ({"prompt": "a blue bird with striped wings"}, "'striped', which means nothing here"),
    "patterned-exact": ({"prompt": "wing color: red | wing pattern: striped"}, "'wing pattern: striped', unknown here"),
}
Story = Callable[[httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """`one`; `same` with its attributes, other scores; `other` with other attributes; `more` with one more seen."""
    folder = tmp_path / "bundles"
    write_tiny_bundle(folder / "one", model_id="one")
    write_tiny_bundle(folder / "same", model_id="same", bias=0.3)
    write_tiny_bundle(folder / "other", model_id="other", schema=OTHER_SCHEMA)
    write_tiny_bundle(folder / "more", model_id="more", seen=SEEN | {"mapping": ALL_BLUE})
    return folder


@asynccontextmanager
async def serving(bundle: Path, store: str) -> AsyncIterator[httpx.AsyncClient]:
    """A service of this process."""
    snapshots = bundle.parents[1] / "snapshots"
    app = create_app(Settings(bundle=bundle, store=store, poll_seconds=0.05, snapshots=snapshots))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client,
    ):
        yield client


async def register(client: httpx.AsyncClient) -> None:
    for name, description in (CARRIED | {name: given for name, (given, _) in LEFT.items()}).items():
        answer = await client.post("/classes", json={"id": name, "label": name.title()} | description)
        assert answer.status_code == 201, answer.text


async def swap(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    answer = await client.post("/admin/model", json={"bundle": name})
    assert answer.status_code == 200, answer.text
    (space,) = answer.json()["spaces"]
    return dict(space)


async def candidates(client: httpx.AsyncClient) -> dict[str, dict[str, float]]:
    """The registered classes that compete, with their degrees."""
    listed = (await client.get("/classes", params={"seen": "false"})).json()["classes"]
    details = [(await client.get(f"/classes/{found['id']}")).json() for found in listed]
    return {found["id"]: {a["key"]: a["degree"] for a in found["attributes"]} for found in details}


async def left_out(client: httpx.AsyncClient) -> dict[str, str]:
    listed = (await client.get("/classes", params={"left_out": "true"})).json()
    assert listed["total"] == len(listed["classes"])
    return {found["id"]: found["left_out"] for found in listed["classes"]}


async def best(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/classify", files={"image": picture_bytes("blue")})
    return dict(answer.raise_for_status().json())


async def check_carried(client: httpx.AsyncClient) -> None:
    """Under `other`: what can be said there is as if it were registered there, the rest is told and is no candidate."""
    found = await candidates(client)
    assert found.keys() == CARRIED.keys()
    for name in ("mapping", "sentence", "exact"):
        told = {"id": f"{name}-anew", "label": "X"} | CARRIED[name]
        anew = (await client.post("/classes", params={"dry_run": "true"}, json=told)).json()
        assert found[name] == pytest.approx({a["key"]: a["degree"] for a in anew["degrees"]}), name
    vector = {key: found["vector"][key] for key in OTHER_SCHEMA.keys if not key.startswith("tail")}
    assert vector == pytest.approx({key: (BLUE | {"size: small": 0.5}).get(key, 0.0) for key in vector})
    reasons = await left_out(client)
    assert reasons.keys() == LEFT.keys()
    for name, (_, reason) in LEFT.items():
        assert reason in reasons[name]
        missing = await client.get(f"/classes/{name}")
        assert missing.status_code == 404
        assert reason in missing.json()["detail"]
        assert (await client.post("/classes", json={"id": name, "label": "X", "attributes": BLUE})).status_code == 409
    answer = await best(client)
    assert answer["predictions"][0]["class_id"] in CARRIED
    assert answer["decision"]["accepted"]
    assert not {found["class_id"] for found in answer["predictions"]} & LEFT.keys()


def test_with_the_same_attributes_classes_are_as_they_were(bundles: Path, store: str) -> None:
    async def main() -> None:
        async with serving(bundles / "one", store) as client:
            await register(client)
            before, first = await candidates(client), await best(client)
            space = await swap(client, "same")
            assert (space["kept"], space["re_embedded"], space["left_out"]) == (8, 0, 0)
            assert await candidates(client) == before
            assert await left_out(client) == {}
            now = await best(client)
            assert (now["model"]["id"], now["revision"]) == ("same", first["revision"])
            # written while the other model served
            await client.post("/classes", json={"id": "late", "label": "Late", "attributes": BLUE})
            assert (await swap(client, "one"))["kept"] == 9

    asyncio.run(main())


def test_with_other_attributes_what_can_be_said_is_said_and_the_rest_is_told(bundles: Path, store: str) -> None:
    async def main() -> None:
        async with serving(bundles / "one", store) as client:
            await register(client)
            before, first = await candidates(client), await best(client)
            space = await swap(client, "other")
            assert (space["kept"], space["re_embedded"], space["left_out"]) == (0, len(CARRIED), len(LEFT))
            assert {found["class_id"]: found["reason"] for found in space["reasons"]} == await left_out(client)
            await check_carried(client)
            assert (await best(client))["revision"] == first["revision"]  # nothing was written
            await swap(client, "one")
            assert await candidates(client) == before
            assert await best(client) | {"image_id": ""} == first | {"image_id": ""}
        async with serving(bundles / "other", store) as client:  # a process that never knew the old bundle
            await check_carried(client)
            gone = await client.delete("/classes/patterned-mapping")
            assert gone.status_code == 200
            assert "patterned-mapping" not in await left_out(client)

    asyncio.run(main())


def test_an_export_goes_back_in_or_names_what_cannot(bundles: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(bundles / "one", f"sqlite:///{tmp_path}/c.sqlite") as client:
            await register(client)
            await swap(client, "other")
            found = await candidates(client)
            rows = (await client.get("/export")).text.splitlines()
            assert len(rows) == len(CARRIED) + len(LEFT)
            kind = {"Content-Type": "application/x-ndjson"}
            refused = await client.post("/import", params={"mode": "replace"}, headers=kind, content="\n".join(rows))
            assert refused.status_code == 422
            assert {bad["id"] for bad in refused.json()["errors"]} >= {"patterned-vector", "patterned-mapping"}
            good = [row for row in rows if json.loads(row)["id"] in CARRIED]
            taken = await client.post("/import", params={"mode": "replace"}, headers=kind, content="\n".join(good))
            assert taken.status_code == 200, taken.text
            assert {name: pytest.approx(d) for name, d in found.items()} == await candidates(client)
            table = (await client.get("/export", params={"format": "csv"})).text
            refused = await client.post(
                "/import", params={"mode": "replace"}, headers={"Content-Type": "text/csv"}, content=table
            )
            assert {bad["id"] for bad in refused.json()["errors"]} == LEFT.keys()

    asyncio.run(main())


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.02)


def test_replicas_with_different_bundles_on_one_store_do_not_spoil_each_others_classes(
    bundles: Path, store: str
) -> None:
    async def main() -> None:
        async with serving(bundles / "one", store) as old, serving(bundles / "other", store) as new:
            await register(old)
            before = await candidates(old)

            async def arrived() -> bool:
                return len(await candidates(new)) + len(await left_out(new)) == 8

            await eventually(arrived)
            await check_carried(new)
            tailed = {"id": "tailed", "label": "T", "attributes": {"tail shape: forked": 1.0}}
            assert (await new.post("/classes", json=tailed)).status_code == 201
            names = ("mapping", "patterned-mapping")
            for name in names:  # a new label through the one, the old degrees at the other
                assert (await new.patch(f"/classes/{name}", json={"label": "New"})).status_code == 200

            async def seen_by_old() -> bool:
                labels = {(await old.get(f"/classes/{name}")).json()["label"] for name in names}
                return "tailed" in await left_out(old) and labels == {"New"}

            await eventually(seen_by_old)
            assert await candidates(old) == before
            assert (await best(old))["model"]["id"] == "one"
            assert (await old.get("/readyz")).status_code == 200

    asyncio.run(main())


def test_a_class_that_the_new_model_has_learned_is_the_models_and_comes_back_with_the_old_one(
    bundles: Path, tmp_path: Path
) -> None:
    async def main() -> None:
        async with serving(bundles / "one", f"sqlite:///{tmp_path}/c.sqlite") as client:
            await register(client)
            before = await candidates(client)
            space = await swap(client, "more")
            assert (space["kept"], space["left_out"]) == (7, 1)
            assert "seen class" in space["reasons"][0]["reason"]
            assert (await client.get("/classes/mapping")).json()["seen"]
            refused = await client.patch("/classes/mapping", json={"hidden": True})
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/class-is-seen")
            await swap(client, "one")
            assert await candidates(client) == before
            await swap(client, "more")
            assert (await client.delete("/classes/mapping")).status_code == 200  # the registered one
            assert (await client.delete("/classes/mapping")).status_code == 409  # the model's
            assert (await client.patch("/classes/mapping", json={"hidden": True})).status_code == 200

    asyncio.run(main())
