"""The clock of the machine jumps, forwards and back, by an hour and by years, while photos and classes come in."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import Server, eventually
from tests.tiny_bundle import ALL_BLUE, picture_bytes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("faketime") is None, reason="needs faketime: deploy/ensure-programs.sh"),
]

JUMPS = ("+1h", "-1h", "+10y", "-10y", "+0")
"""Against the real clock: the service sees each as a jump from the one before it."""
SECONDS = 1.5
LONGEST = 5.0
"""No photo takes longer, whatever the clock says."""


@pytest.fixture
def clock(tmp_path: Path) -> Callable[[str], None]:
    """Sets the clock that the service sees, by libfaketime's words."""
    file = tmp_path / "clock.txt"

    def put(offset: str) -> None:
        file.with_suffix(".new").write_text(offset)
        file.with_suffix(".new").replace(file)

    put("+0")
    return put


def faked(folder: Path) -> dict[str, str]:
    """Environment of a process whose wall clock follows the file; its monotonic clock stays the machine's."""
    asked = subprocess.run(
        ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
    )
    return {
        "LD_PRELOAD": asked.stdout.strip(),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock.txt"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def work(service: Server, row: Row, names: list[str]) -> None:
    """Classify, register and explain for a while; all of it has to go well."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        begun = time.monotonic()
        photo = service.client.post("/classify", files={"image": picture_bytes("blue")})
        row.lost += row.answer(photo) != 200
        assert time.monotonic() - begun < LONGEST
        names.append(f"c{len(names)}")
        body = {"id": names[-1], "label": names[-1], "attributes": ALL_BLUE}
        row.lost += row.answer(service.client.post("/classes", json=body)) != 201
        explained = service.client.get("/explain", params={"image_id": photo.json()["image_id"]})
        row.lost += row.answer(explained) != 200
        row.inputs += 3


def sees(service: Server) -> datetime:
    """What the service writes as the time of a write."""
    log = service.client.get("/log", params={"limit": 1}).json()["entries"]
    return datetime.fromisoformat(log[0]["at"])


def test_jumps_of_the_clock(serve: StartServer, tmp_path: Path, clock: Callable[[str], None]) -> None:
    service = serve(environment=faked(tmp_path))
    row = Row(60, f"the clock jumps {len(JUMPS)} times: {', '.join(JUMPS)} against the real one")
    names: list[str] = []
    for jump in ("+0", *JUMPS):
        clock(jump)
        work(service, row, names)
        years = sees(service).year - datetime.now().year
        assert years == {"+10y": 10, "-10y": -10}.get(jump, 0), "the clock was not faked"
    listed = service.client.get("/classes", params={"seen": False, "limit": 1000}).json()["classes"]
    assert {entry["id"] for entry in listed} == set(names)
    waits = re.findall(r"^duet_\w+_seconds_(?:sum|bucket)\S* (\S+)$", service.client.get("/metrics").text, re.MULTILINE)
    assert waits
    assert all(float(seconds) >= 0 for seconds in waits)
    row.done(service)


def test_a_class_expires_when_the_clock_is_past_it(
    serve: StartServer, tmp_path: Path, clock: Callable[[str], None]
) -> None:
    """And not before, though the clock goes back; a class that has gone stays away."""
    service = serve(environment=faked(tmp_path))
    row = Row(61, "a class of an hour, the clock an hour back and two ahead", inputs=1)
    names: list[str] = []
    body = {"id": "an-hour", "label": "An hour", "attributes": ALL_BLUE, "ttl_seconds": 3600}
    assert row.answer(service.client.post("/classes", json=body)) == 201

    def status() -> int:
        row.inputs += 1
        return row.answer(service.client.get("/classes/an-hour"))

    clock("-1h")
    work(service, row, names)
    assert status() == 200
    clock("+2h")
    eventually(lambda: status() == 404)
    clock("+0")
    work(service, row, names)
    assert status() == 404
    row.done(service)
