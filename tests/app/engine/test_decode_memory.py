"""What decoding takes of memory is known from the header, and is no more than that."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.engine.memory_budget import MemoryBudget
from duet_core.runtime.photos import PhotoLimits, PhotoRefused, read_photo
from tests.app.engine.photo_bytes import encoded

MIB = 2**20
SLACK = 24 * MIB
"""Allocators round up, and a decoder has tables of its own."""

MEASURE = """
import json, sys
from pathlib import Path
from duet_core.runtime import Preprocessing
from duet_core.runtime.decoding import memory_needed, take_apart
from duet_core.runtime.photos import PhotoLimits, photo_pixels

def status(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1]) * 1024

prepare = Preprocessing(size=192, resize=219, mean=(0, 0, 0), std=(1, 1, 1))
def decode(path):
    data = Path(path).read_bytes()
    photo_pixels(data, prepare=prepare, limits=PhotoLimits(), side=219)
    return memory_needed(take_apart(data), 219)

decode(sys.argv[1])  # whatever is loaded once
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
print(json.dumps({"needed": decode(sys.argv[2]), "taken": status("VmHWM") - before}))
"""


def worst(kind: str) -> bytes:
    """The largest photo of a kind that is allowed, in content that packs well."""
    grey = Image.fromarray(np.add.outer(np.arange(5_000) // 7, np.arange(5_000) // 5).astype(np.uint8))
    if kind == "webp":
        return encoded(grey.crop((0, 0, 4_000, 4_000)).convert("RGBA"), "WEBP", lossless=True, method=0, quality=0)
    if kind.startswith("jpeg"):
        return encoded(grey.convert("CMYK"), "JPEG", progressive=kind == "jpeg progressive")
    if kind == "png strip":
        return encoded(Image.new("LA", (10_000, 860), (9, 200)), "PNG")
    if kind == "png I;16":
        return encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) << 8), "PNG", compress_level=1)
    if kind == "png P":
        return encoded(grey.convert("P"), "PNG", compress_level=1, transparency=bytes(range(200)))
    return encoded(grey.convert(kind.removeprefix("png ")), "PNG", compress_level=1)


KINDS = ("png RGB", "png RGBA", "png LA", "png I;16", "png P", "png strip", "jpeg", "jpeg progressive", "webp")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is told by Linux only")
@pytest.mark.parametrize("kind", KINDS)
def test_decoding_takes_what_was_foretold(kind: str, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(encoded(Image.new("RGB", (300, 300)), "JPEG"))
    large.write_bytes(worst(kind))
    command = [sys.executable, "-c", MEASURE, str(small), str(large)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert told["taken"] <= told["needed"] + SLACK
    assert told["needed"] <= 256 * MIB  # the default of DUET_DECODE_MEMORY


def test_a_photo_that_needs_too_much_is_refused_from_its_header() -> None:
    limits = PhotoLimits(pixels=25_000_000, side=10_000, memory=24 * MIB)
    with pytest.raises(PhotoRefused, match=r"would take \d+ MiB of memory, it may take 24") as refused:
        read_photo(encoded(Image.new("RGB", (5_000, 5_000)), "PNG"), limits=limits, side=72)
    assert refused.value.reason == "image-too-large"
    read_photo(encoded(Image.new("RGB", (5_000, 5_000)), "JPEG"), limits=limits, side=72)  # is scaled while decoded


def test_photos_that_do_not_fit_together_come_one_after_the_other() -> None:
    budget, order = MemoryBudget(100), list[str]()
    inside, leave = threading.Event(), threading.Event()

    def large() -> None:
        with budget(80):
            order.append("large")
            inside.set()
            leave.wait(10)

    def next_one(name: str, need: int) -> threading.Thread:
        def run() -> None:
            with budget(need):
                order.append(name)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    first = threading.Thread(target=large)
    first.start()
    assert inside.wait(10)
    second = next_one("second", 500)  # more than there is: it gets all, alone
    while budget.waiting < 1:
        time.sleep(0.001)
    third = next_one("third", 1)  # would fit beside the first, but came after the second
    while budget.waiting < 2:
        time.sleep(0.001)
    assert order == ["large"]
    leave.set()
    for thread in (first, second, third):
        thread.join(10)
    assert order == ["large", "second", "third"]


def test_a_failed_photo_gives_its_memory_back() -> None:
    budget = MemoryBudget(10)
    for _ in range(5):
        with pytest.raises(RuntimeError), budget(10):
            raise RuntimeError
    with budget(10):
        time.sleep(0.001)
