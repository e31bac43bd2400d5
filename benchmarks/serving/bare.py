"""The bare loop: decode, preprocess, session.run, and nothing else; ``python -m benchmarks.serving.bare`` prints JSON.

What a service can reach at best on the same cores depends on how its threads share them, so there are three loops:

- ``serial``: one thread; ONNX Runtime with a thread for each core.
- ``threads``: a thread for each core does all of a photo; ONNX Runtime computes in the calling thread.
- ``batched``: a thread for each core decodes; one thread runs what is ready, at most 16 at once, on all cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import queue
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.settings import Settings
from benchmarks.serving.photos import read_photos
from duet_core.runtime import Bundle, Encoder, open_bundle
from duet_core.runtime.photos import PhotoLimits, photo_pixels
from duet_core.runtime.sessions import Execution, open_session, thread_count

LOOPS = ("serial", "threads", "batched")
WARM = 0.5
MOST = 16

Decode = Callable[[bytes], NDArray[np.float32]]


def decoder(bundle: Bundle) -> Decode:
    """From the bytes of a photo to pixels (3, S, S), by the code and with the limits that the service has."""
    chosen, encoder = Settings(), Encoder(bundle)
    limits = PhotoLimits(pixels=chosen.max_pixels, side=chosen.max_side, aspect=chosen.max_aspect)
    look = partial(photo_pixels, prepare=encoder.look, limits=limits, side=bundle.preprocessing.resize)
    return lambda photo: look(photo).pixels


class Clock:
    """Times (s) of photos done between the warm-up and the end."""

    def __init__(self, seconds: float) -> None:
        self.begun = time.perf_counter() + WARM
        self.end = self.begun + seconds
        self.times: list[float] = []

    def running(self) -> bool:
        """Whether to go on."""
        return time.perf_counter() < self.end

    def done(self, started: float) -> None:
        """A photo that was begun at `started` is done."""
        now = time.perf_counter()
        if self.begun <= now < self.end:
            self.times.append(now - started)


def serial(bundle: Bundle, photos: list[bytes], clock: Clock) -> None:
    """One photo after the other."""
    decode, encoder = decoder(bundle), Encoder(bundle)
    for photo in itertools.cycle(photos):
        if not clock.running():
            return
        started = time.perf_counter()
        encoder.encode_pixels(decode(photo)[None])
        clock.done(started)


def threads(bundle: Bundle, photos: list[bytes], clock: Clock) -> None:
    """One photo after the other in each of several threads."""
    alone = dataclasses.replace(bundle, vision=open_session(bundle.folder / "vision.onnx", Execution(threads=1)))
    count = thread_count()
    workers = [
        threading.Thread(target=serial, args=(alone, photos[start:] + photos[:start], clock)) for start in range(count)
    ]
    _together(workers)


def batched(bundle: Bundle, photos: list[bytes], clock: Clock) -> None:
    """Threads that decode ahead, and one that runs what is ready."""
    ready: queue.Queue[tuple[float, NDArray[np.float32]]] = queue.Queue(maxsize=MOST)
    decode, encoder, turn = decoder(bundle), Encoder(bundle), itertools.cycle(photos)

    def decode_on() -> None:
        while clock.running():
            started = time.perf_counter()
            pixels = decode(next(turn))
            try:
                ready.put((started, pixels), timeout=1)
            except queue.Full:
                return

    def run() -> None:
        while clock.running():
            try:
                jobs = [ready.get(timeout=1)]
            except queue.Empty:
                return
            while len(jobs) < MOST and not ready.empty():
                jobs.append(ready.get_nowait())
            encoder.encode_pixels(np.stack([pixels for _, pixels in jobs]))
            for started, _ in jobs:
                clock.done(started)

    _together([threading.Thread(target=decode_on) for _ in range(thread_count())] + [threading.Thread(target=run)])


def _together(workers: list[threading.Thread]) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def main() -> None:
    """Print the photos a second and the median milliseconds of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("photos", type=Path, help="folder")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--bundle", type=Path, default=Path("models/birds"))
    asked = parser.parse_args()
    bundle, photos = open_bundle(asked.bundle), read_photos(asked.photos)
    run = {"serial": serial, "threads": threads, "batched": batched}[asked.loop]
    before = time.process_time()
    clock = Clock(asked.seconds)
    run(bundle, photos, clock)
    used = (time.process_time() - before) / (asked.seconds + WARM) * asked.seconds
    count = max(1, len(clock.times))
    found = {"a_second": len(clock.times) / asked.seconds, "cpu_ms": 1000 * used / count}
    print(json.dumps(found | {"p50_ms": 1000 * statistics.median(clock.times or [0.0])}))


if __name__ == "__main__":
    main()
