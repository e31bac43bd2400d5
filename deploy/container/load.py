"""Ask a service to classify photos, from several clients at once, for a while; then say how it went.

A photo that was not answered (a refusal, a replica that ended) is sent again, as a client would, and both are counted.
Reads DUET_SERVER, DUET_KEY, DUET_LOAD_SECONDS and DUET_LOAD_CLIENTS. Exits 1 when a photo stayed unanswered.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from duet_client import Busy, DuetClient, Retries, ServiceError, Unreachable

ONCE = Retries(attempts=1)
PATIENCE = 30.0
"""Seconds after which a photo counts as unanswered."""


@dataclass
class Report:
    """What happened; times in seconds, from the first try to the answer."""

    times: list[float] = field(default_factory=list)
    refused: int = 0
    broken: int = 0
    unanswered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def summary(self, seconds: float) -> dict[str, float]:
        """Counts, photos a second, and percentiles in milliseconds."""
        ms = 1000 * np.asarray(self.times) if self.times else np.zeros(1)
        return {
            "answered": len(self.times),
            "unanswered": self.unanswered,
            "refused_and_sent_again": self.refused,
            "broken_and_sent_again": self.broken,
            "photos_a_second": round(len(self.times) / seconds, 1),
            "p50_ms": round(float(np.percentile(ms, 50)), 1),
            "p99_ms": round(float(np.percentile(ms, 99)), 1),
        }


def photo(seed: int, side: int = 256) -> bytes:
    """A JPEG of coloured blotches; another one for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(written, "JPEG", quality=85)
    return written.getvalue()


def answered(duet: DuetClient, picture: bytes, report: Report) -> bool:
    """Classify one photo, again and again until it is answered or PATIENCE is over."""
    start = time.monotonic()
    while time.monotonic() - start < PATIENCE:
        try:
            duet.classify(picture, top_k=1)
        except Busy as error:
            with report.lock:
                report.refused += 1
            time.sleep(min(error.retry_after or 1.0, 2.0))
        except (Unreachable, ServiceError) as error:
            if isinstance(error, ServiceError) and error.problem.status < 500:
                raise  # wrong key, say: sending it again would change nothing
            with report.lock:
                report.broken += 1
            time.sleep(0.1)
        else:
            with report.lock:
                report.times.append(time.monotonic() - start)
            return True
    return False


def client(server: str, key: str | None, seed: int, until: float, report: Report) -> None:
    """One client: photo after photo until the time is over."""
    picture = photo(seed)
    with DuetClient(server, key=key, retries=ONCE) as duet:
        while time.monotonic() < until:
            if not answered(duet, picture, report):
                with report.lock:
                    report.unanswered += 1


def run(server: str, key: str | None, *, seconds: float, clients: int) -> Report:
    """Let `clients` threads classify for `seconds`; returns what happened."""
    report, until = Report(), time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=(server, key, n, until, report)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report


def main() -> int:
    """Run as the environment says and print the summary as one line of JSON."""
    server = os.environ.get("DUET_SERVER", "http://localhost:8000")
    seconds = float(os.environ.get("DUET_LOAD_SECONDS", "60"))
    clients = int(os.environ.get("DUET_LOAD_CLIENTS", "4"))
    start = time.monotonic()
    report = run(server, os.environ.get("DUET_KEY") or None, seconds=seconds, clients=clients)
    sys.stdout.write(json.dumps(report.summary(time.monotonic() - start)) + "\n")
    return int(report.unanswered > 0 or not report.times)


if __name__ == "__main__":
    sys.exit(main())
