"""Memory of the service under mixed photos: what it grows by once it is warm, and its peak.

``python -m benchmarks.memory`` sends photos of all sizes, formats and colour modes, broken ones among them, until
100,000 are answered or 14 minutes are over, by eight clients without a pause. After every hundredth part the resident
memory is read. The first fifth is the warm-up: the service remembers the states of 10,000 photos. Of the rest, growth
is the slope of a straight line; its 95 % interval allows for neighbouring samples being alike. Writes
`benchmarks/results/memory.json`; ``python -m benchmarks.report`` makes the page and the picture of it.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving import results
from benchmarks.serving.client import Plan, arguments
from benchmarks.serving.machine import describe, peak_resident_mb
from benchmarks.serving.photos import make_photo, write_photos
from benchmarks.serving.servers import DUET, Running, running

MIX = ("jpg", "jpg", "gray.jpg", "jpg", "png", "jpg", "webp", "jpg", "cmyk.jpg", "alpha.png")
SIDES = (60, 1600)
PHOTOS = 120
PIECES = 100
CLIENTS = 8
WARM_SHARE = 0.2
PER = 10_000
"""Growth is told for so many photos."""


def write_mix(folder: Path, count: int) -> None:
    """Photos of every kind, and in each dozen one that is cut short and one that is none."""
    write_photos(folder, count, kinds=MIX, sides=SIDES)
    for number in range(0, count, 12):
        (folder / f"{number:04}.broken").write_bytes(make_photo(number, sides=SIDES)[:-200])
        (folder / f"{number:04}.text").write_bytes(b"this is no photo " * 100)


def growth(requests: list[int], resident_mb: list[float]) -> tuple[float, float]:
    """MB by which memory grows with `PER` photos, and half the width of its 95 % interval.

    Least squares; the residuals' correlation with their neighbours (AR(1)) widens the interval as that many fewer
    samples would. Raises ValueError for fewer than four samples.
    """
    if len(requests) < 4:
        raise ValueError(f"got {len(requests)} samples; a slope with an interval needs at least 4")
    x, y = np.asarray(requests, dtype=np.float64) / PER, np.asarray(resident_mb, dtype=np.float64)
    x -= x.mean()
    slope = float((x * (y - y.mean())).sum() / (x**2).sum())
    left = y - y.mean() - slope * x
    spread = float((left**2).sum())
    alike = 0.0 if spread == 0 else min(0.95, max(0.0, float((left[1:] * left[:-1]).sum()) / spread))
    error = math.sqrt(spread / (len(x) - 2) / float((x**2).sum()) * (1 + alike) / (1 - alike))
    return slope, 1.96 * error


def observe(server: Running, photos: Path, *, most: int, seconds: float) -> dict[str, Any]:
    """Send photos until `most` are answered or the time is over; requests and memory after each piece."""
    piece, deadline = max(CLIENTS, most // PIECES), time.monotonic() + seconds
    sent, requests, resident, statuses = 0, [0], [server.resident()], dict[str, int]()
    while sent < most and time.monotonic() < deadline:
        plan = Plan(
            port=server.port,
            path=DUET.path,
            name=DUET.form_field,
            photos=str(photos),
            clients=CLIENTS,
            seconds=max(0.1, deadline - time.monotonic()),
            warm=0.0,
            seed=sent,
            most=piece,
        )
        done = subprocess.run([sys.executable, *arguments(plan)], check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        for status, count in found["statuses"].items():
            statuses[status] = statuses.get(status, 0) + count
        sent += found["requests"]
        requests.append(sent)
        resident.append(server.resident())
    return {"requests": requests, "resident_mb": resident, "statuses": statuses}


def main() -> None:
    """Measure, write the results, print them in a line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=14.0, help="the longest time for them")
    parser.add_argument("--bundle", type=Path, default=Path("models/birds"))
    parser.add_argument("--photos", type=int, default=PHOTOS, help="different photos")
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of memory.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as photos, tempfile.TemporaryDirectory() as folder:
        write_mix(Path(photos), asked.photos)
        with running(DUET, bundle=asked.bundle, folder=Path(folder)) as server:
            found = observe(server, Path(photos), most=asked.requests, seconds=60 * asked.minutes)
            found["peak_mb"] = peak_resident_mb(server.process.pid)
    warm = sum(count < WARM_SHARE * found["requests"][-1] for count in found["requests"])
    slope, half = growth(found["requests"][warm:], found["resident_mb"][warm:])
    found |= {"warm_share": WARM_SHARE, "growth_mb": slope, "growth_half_width_mb": half}
    found = {"machine": describe("fastapi", "uvicorn"), "bundle": asked.bundle.name, "clients": CLIENTS} | found
    results.save("memory", found, asked.out)
    print(
        f"{found['requests'][-1]:,} photos {found['statuses']}: peak {found['peak_mb']:.0f} MB, "
        f"growth {slope:+.2f} ± {half:.2f} MB per {PER:,} photos after the warm-up"
    )


if __name__ == "__main__":
    main()
