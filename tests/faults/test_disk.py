"""A full or a read-only disk below the SQLite store: photos are classified, nothing is half-written, clients know."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults import mounts
from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import Server
from tests.tiny_bundle import ALL_BLUE, picture_bytes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(mounts.not_here()), reason=f"needs to mount a disk: {mounts.not_here()}"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The folder of the store, and of nothing else."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def store(disk: Path) -> str:
    return f"sqlite:///{disk}/classes.sqlite"


def register(service: Server, row: Row, name: str) -> httpx.Response:
    row.inputs += 1
    answer = service.client.post("/classes", json={"id": name, "label": name, "attributes": ALL_BLUE})
    row.answer(answer)
    return answer


def classify(service: Server, row: Row) -> dict[str, Any]:
    row.inputs += 1
    answer = service.client.post("/classify", files={"image": picture_bytes("blue")})
    row.lost += row.answer(answer) != 200
    found: dict[str, Any] = answer.json()
    return found


def registered(service: Server, row: Row) -> set[str]:
    row.inputs += 1
    answer = service.client.get("/classes", params={"seen": False, "limit": 1000})
    row.answer(answer)
    return {entry["id"] for entry in answer.json()["classes"]}


def test_a_full_disk(serve: StartServer, disk: Path) -> None:
    service = serve(prefix=mounts.on_small_disk(disk), store=store(disk))
    row = Row(50, "the store's disk is full, and is emptied again")
    acknowledged = {f"before-{number}" for number in range(5)}
    assert all(register(service, row, name).status_code == 201 for name in acknowledged)
    filler = mounts.fill(mounts.seen_by(service, disk))
    refused = ""
    for number in range(200):  # SQLite's log has some room left in it
        answer = register(service, row, f"late-{number}")
        if answer.status_code == 201:
            acknowledged.add(f"late-{number}")
        else:
            refused = answer.json()["detail"]
            break
    assert "its disk is full" in refused
    for _ in range(20):
        assert classify(service, row)["predictions"][0]["class_id"].startswith(("before", "late"))
        assert registered(service, row) == acknowledged
    filler.unlink()
    assert register(service, row, "after").status_code == 201
    assert registered(service, row) == acknowledged | {"after"}
    assert "cannot rollback" not in service.log
    row.done(service)


def test_a_store_on_a_read_only_file_system(serve: StartServer, disk: Path) -> None:
    """What a killed service left behind can be read there, and is written to as soon as the file system lets it."""
    row = Row(51, "the store's file system is read-only, and becomes writable")
    service = serve(store=store(disk))
    assert register(service, row, "before").status_code == 201
    service.signal(signal.SIGKILL)  # leaves SQLite's log, without which there is no reading on such a file system
    service.wait()
    service = serve(prefix=mounts.read_only(disk), store=store(disk))
    for _ in range(20):
        assert classify(service, row)["predictions"][0]["class_id"] == "before"
        assert registered(service, row) == {"before"}
        refused = register(service, row, "refused")
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/store-unavailable")
        assert "its file system is read-only" in refused.json()["detail"]
        assert str(disk) not in refused.text
    mounts.writable(service, disk)
    assert register(service, row, "after").status_code == 201
    assert registered(service, row) == {"before", "after"}
    row.done(service)


@pytest.mark.parametrize("made", [False, True], ids=["new", "closed-well"])
def test_a_start_where_nothing_can_be_written_says_so(
    serve: StartServer, tiny_bundle: Path, tmp_path: Path, disk: Path, made: bool
) -> None:
    if made:
        serve(store=store(disk)).stop()
    service = Server(tmp_path, bundle=tiny_bundle, prefix=mounts.read_only(disk), store=store(disk))
    with pytest.raises(pytest.fail.Exception, match="the service ended"):
        service.start()
    service.wait()
    assert "its folder is read-only" in service.log
    assert "DUET_STORE" in service.log
    assert "Traceback" not in service.log
    service.close()
