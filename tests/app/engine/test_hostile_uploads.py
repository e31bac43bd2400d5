"""The hostile photos sent to a service: the right problem each time, no 5xx, and a service that is well afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.engine.hostile_photos import EITHER, PIXELS, REFUSED, corpus
from tests.app.engine.photo_bytes import encoded, picture
from tests.service_process import ServiceProcess

STATUS = {PIXELS: 200, "unsupported-media-type": 415, "image-too-large": 413, "broken-image": 422}
DECODE_MEMORY = 256 * 2**20
SLACK = 96 * 2**20
"""A body as it arrives, the copy without metadata, and what allocators keep."""


@pytest.fixture
def service(tmp_path: Path, tiny_bundle: Path) -> Iterator[ServiceProcess]:
    """A service of its own, whose memory no other test has touched."""
    store = f"sqlite:///{tmp_path}/classes.sqlite"
    process = ServiceProcess(tmp_path, bundle=tiny_bundle, store=store, decode_memory=DECODE_MEMORY)
    yield process.start()
    process.close()


def memory(service: ServiceProcess, what: str) -> int:
    """Bytes of the process: `VmRSS` now, `VmHWM` the most at one time."""
    status = Path(f"/proc/{service.pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(what)).split()[1]) * 1024


@pytest.mark.slow
def test_no_upload_breaks_the_service(service: ServiceProcess) -> None:
    good = encoded(picture(), "PNG")
    before = service.client.post("/classify", files={"image": good})
    assert before.status_code == 200
    start = memory(service, "VmHWM")
    answers: Counter[str] = Counter()
    wrong = []
    for name, data, outcome in corpus():
        if answers.total() % 2:
            answer = service.client.post("/classify", files={"image": data})
        else:
            answer = service.client.post("/classify", content=data, headers={"Content-Type": "image/jpeg"})
        kind = PIXELS if answer.status_code == 200 else answer.json()["type"].removeprefix("/problems/")
        answers[kind] += 1
        allowed = set(STATUS) if outcome == EITHER else set(STATUS) - {PIXELS} if outcome == REFUSED else {outcome}
        if kind not in allowed or answer.status_code != STATUS[kind]:
            wrong.append(f"{name}: {answer.status_code} {kind}, not {outcome}")
    assert not wrong
    assert answers.total() > 350
    assert service.client.get("/readyz").status_code == 200
    after = service.client.post("/classify", files={"image": good})
    assert after.json()["predictions"] == before.json()["predictions"]
    assert memory(service, "VmHWM") - start < DECODE_MEMORY + SLACK
    assert memory(service, "VmRSS") - start < SLACK  # what large photos took is given back
    assert "Traceback" not in service.log
