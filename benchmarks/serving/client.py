"""The process that sends photos: ``python -m benchmarks.serving.client PLAN``, PLAN being JSON; prints a JSON summary.

A closed loop has so many clients that each send the next photo when the answer to the last is there. An open loop
sends at random moments (Poisson) at a given rate whatever the server does, and counts each answer's time from the
moment at which its photo should have been sent: waiting for a slow server is in no client's power to leave out.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from uvicorn.loops.auto import auto_loop_factory

from benchmarks.serving.http_client import Connection, Reply, upload
from benchmarks.serving.photos import read_photos


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to send where.

    Attributes:
        port, path, name: the server on this machine, the path and the form field that take a photo.
        photos: folder of the photos, sent in turn.
        clients: of the closed loop; 0 for an open loop.
        rate: photos a second of the open loop.
        seconds, warm: measured time, and time before it that is not.
        drain: seconds to wait for the answers that are still out when the time is over.
        seed: of the moments, and of where in the photos to begin.
        most: end after so many photos (0: no limit).
    """

    port: int
    path: str
    name: str
    photos: str
    clients: int = 0
    rate: float = 0.0
    seconds: float
    warm: float = 0.5
    drain: float = 30.0
    seed: int = 0
    most: int = 0


@dataclass
class Log:
    """One entry a photo: when it should have been sent, how long its answer took (s), and the answer's status."""

    sent: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    retry_after: int = 0
    """Refusals that said when to come back."""

    def add(self, sent: float, reply: Reply) -> None:
        """Enter an answer that has just come."""
        self.sent.append(sent)
        self.took.append(time.perf_counter() - sent)
        self.status.append(reply.status)
        self.retry_after += reply.status in (429, 503) and "retry-after" in reply.headers


async def closed_loop(plan: Plan, requests: list[bytes], log: Log) -> None:
    """So many clients, each with one photo under way."""
    end, step = time.perf_counter() + plan.warm + plan.seconds, max(1, plan.clients)

    async def one(number: int) -> None:
        connection, at = Connection("127.0.0.1", plan.port), plan.seed + number
        while (sent := time.perf_counter()) < end and not (plan.most and len(log.sent) >= plan.most):
            reply = await connection.ask(requests[at % len(requests)])
            log.add(sent, reply)
            at += step
            if reply.status == 0:
                await asyncio.sleep(0.01)  # a server that takes no connections is not asked as fast as possible
        connection.close()

    await asyncio.gather(*(one(number) for number in range(plan.clients)))


async def open_loop(plan: Plan, requests: list[bytes], log: Log) -> int:
    """Photos at random moments; returns how many had no answer when waiting for them was given up."""
    draw = np.random.default_rng(plan.seed)
    gaps = draw.exponential(1 / plan.rate, size=max(1, round(2 * plan.rate * (plan.warm + plan.seconds)) + 10))
    moments = time.perf_counter() + np.cumsum(gaps)
    moments = moments[moments < moments[0] + plan.warm + plan.seconds]
    idle: list[Connection] = []
    every: list[Connection] = []

    async def one(sent: float, request: bytes) -> None:
        if not idle:
            idle.append(Connection("127.0.0.1", plan.port))
            every.append(idle[-1])
        connection = idle.pop()
        log.add(sent, await connection.ask(request))
        idle.append(connection)

    tasks = []
    for at, moment in enumerate(moments):
        if (wait := moment - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(float(moment), requests[(plan.seed + at) % len(requests)])))
    _, late = await asyncio.wait(tasks, timeout=plan.drain)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for connection in every:
        connection.close()
    return len(late)


def summary(plan: Plan, log: Log, begun: float, unanswered: int) -> dict[str, Any]:
    """Counts, rates and percentiles of the answers to photos sent after the warm-up."""
    sent, took, status = np.array(log.sent), np.array(log.took), np.array(log.status, dtype=np.int64)
    first, last = begun + plan.warm, begun + plan.warm + plan.seconds
    if plan.most and len(sent):
        last = float((sent + took).max())
    counted = (sent >= first) & (sent < last)
    good = counted & (status == 200)
    ended = (status == 200) & (sent + took >= first) & (sent + took <= last)  # whenever they were sent
    found: dict[str, Any] = {
        "sent": int(counted.sum()) + unanswered,
        "answered": int(good.sum()),
        "statuses": {str(code): n for code, n in sorted(Counter(status[counted].tolist()).items())},
        "with_retry_after": log.retry_after,
        "unanswered": unanswered,
        "a_second": float(ended.sum()) / max(1e-9, last - first),
    }
    if good.any():
        cuts = np.percentile(1000 * took[good], [50, 90, 99, 100])
        found |= dict(zip(("p50_ms", "p90_ms", "p99_ms", "max_ms"), map(float, cuts), strict=True))
    return found


async def _run(plan: Plan) -> dict[str, Any]:
    requests = [upload(plan.path, plan.name, photo) for photo in read_photos(Path(plan.photos))]
    log, begun, unanswered = Log(), time.perf_counter(), 0
    before = _processor()
    if plan.clients:
        await closed_loop(plan, requests, log)
    else:
        unanswered = await open_loop(plan, requests, log)
    used, all_sent = _processor() - before, len(log.sent) + unanswered
    return summary(plan, log, begun, unanswered) | {
        "client_cpu_ms": 1000 * used / max(1, all_sent),
        "requests": all_sent,
    }


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def arguments(plan: Plan) -> list[str]:
    """The command line that carries out a plan, after the interpreter."""
    return ["-m", "benchmarks.serving.client", json.dumps(asdict(plan))]


def main() -> None:
    """Carry out the plan of the command line, on uvloop where it is installed: it halves the client's costs."""
    plan = Plan(**json.loads(sys.argv[1]))
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        print(json.dumps(runner.run(_run(plan))))


if __name__ == "__main__":
    main()
