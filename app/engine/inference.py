"""The model at work: photos in, v and state out, and a supervisor that notices when it no longer is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.engine.deadline import DEADLINE
from app.engine.image_states import ImageState
from app.engine.line import Job
from app.engine.supervision import Canary, Supervision
from app.engine.worker import Batching, EncodePixels, InferenceStopped, Worker
from app.metrics import Metrics
from app.observability.spans import here

__all__ = ["Batching", "Inference", "InferenceStopped"]

log = logging.getLogger("duet.inference")

STARTING = "the model has not answered its first photo"


class Inference:
    """A queue in front of the model. Letter key: B photos, A attributes, D width of the state, S side.

    A worker that dies fails its photos at once and is followed by another, after a pause that doubles. It takes photos
    when it has answered the canary. Too many deaths in a row, or a model call that does not end, give the process up.

    Args:
        encode: pixels (B, 3, S, S) to v (B, A) and state (B, D); called in one thread only.
        batching: how photos are put together.
        observe: told the seconds each photo took.
        canary: asked at the start of every worker, after failures and when idle; None asks nothing.
        give_up: called once, with the reason, when only a new process can help.
    """

    def __init__(
        self,
        *,
        encode: EncodePixels,
        batching: Batching,
        observe: Callable[[float], None],
        metrics: Metrics,
        supervision: Supervision | None = None,
        canary: Canary | None = None,
        give_up: Callable[[str], None] | None = None,
    ) -> None:
        self._encode = encode
        self.batching = batching
        self._observe = observe
        self._metrics = metrics
        self._supervision = supervision or Supervision()
        self._canary = canary
        self._give_up = give_up
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = STARTING
        self._deaths = 0
        self._given_up = False
        self._checked = asyncio.Event()

    def start(self) -> None:
        """Begin to take photos; with a canary, once it is answered (`ready`)."""
        self._worker = self._begin()
        self._task = asyncio.create_task(self._supervise(self._worker), name="inference")

    @property
    def trouble(self) -> str | None:
        """Why no photos are taken, None when they are."""
        return self._trouble

    @property
    def alive(self) -> bool:
        """Whether photos are being taken."""
        return self._trouble is None

    async def ready(self) -> None:
        """Wait for the first canary. Raises InferenceStopped with the reason when it is not answered as it must be."""
        await self._checked.wait()
        if self._trouble is not None:
            raise InferenceStopped(self._trouble)

    async def encode(self, pixels: NDArray[np.float32]) -> ImageState:
        """v (A,) and state (D,) of one photo's pixels (3, S, S).

        Raises InferenceStopped, DeadlineExceeded when the deadline of this context passed in the queue, or what the
        model raised for this photo alone.
        """
        if self._trouble is not None or self._worker is None:
            raise InferenceStopped(self._trouble or "the inference thread does not run")
        job = Job(pixels, asyncio.get_running_loop().create_future(), DEADLINE.get(), span=here())
        self._worker.put(job)
        return await job.answer

    async def stop(self, patience: float = 30.0) -> None:
        """Finish what is queued, for at most `patience` seconds, then end; what has been given up is not waited for."""
        self._trouble = "the model is being stopped"
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None  # how it ended holds frames of ours, which would keep the model in memory
        if self._worker is not None:
            self._worker.close()
            await asyncio.wait({self._worker.ended}, timeout=0 if self._given_up else patience)
            self._worker.fail(InferenceStopped("the inference thread was stopped"))

    def _begin(self) -> Worker:
        worker = Worker(encode=self._encode, batching=self.batching, observe=self._observe, metrics=self._metrics)
        worker.start()
        if self._canary is None:
            self._trouble = None
        return worker

    async def _supervise(self, worker: Worker) -> None:
        rules = self._supervision
        while True:
            began = time.monotonic()
            if (reason := await self._watch(worker)) is not None:
                self._end_process(reason)
                return
            error = worker.ended.result()
            self._deaths = 1 if time.monotonic() - began > rules.steady else self._deaths + 1
            self._metrics.worker_deaths.inc()
            self._trouble = f"the inference thread has ended ({error!r}), {self._deaths} times in a row"
            self._checked.set()
            log.error("%s", self._trouble, exc_info=error)
            if self._deaths >= rules.max_deaths:
                self._end_process(self._trouble)
                return
            await asyncio.sleep(rules.pause(self._deaths))
            worker = self._worker = self._begin()

    async def _watch(self, worker: Worker) -> str | None:
        """Look after a worker until it ends. The reason, when it hangs so long that only a new process helps."""
        rules, hung = self._supervision, False
        failures = await self._check(worker)
        while not worker.ended.done():
            await asyncio.wait({worker.ended}, timeout=rules.tick)
            busy = worker.busy_seconds()
            if busy > rules.model_timeout:
                self._hang(worker, busy, known=hung)
                hung = True
                if busy > 2 * rules.model_timeout:
                    return self._trouble
                continue
            hung = False
            if self._trouble is not None or worker.failures != failures or self._quiet(worker):
                failures = await self._check(worker)
        return None

    def _quiet(self, worker: Worker) -> bool:
        every = self._supervision.canary_every
        return every > 0 and worker.idle_seconds() >= every

    def _hang(self, worker: Worker, busy: float, *, known: bool) -> None:
        self._trouble = f"the model has not answered for {busy:.3g} s"
        self._checked.set()
        if not known:
            log.error("%s; its photos are given up", self._trouble)
        worker.fail(InferenceStopped(self._trouble))

    async def _check(self, worker: Worker) -> int:
        """Ask for the canary: photos are taken when its answer is right, and refused when it is wrong.

        Returns the worker's failures so far. Says nothing new when the worker ends, or hangs, before the answer.
        """
        if self._canary is None:
            self._settle(None)
            return worker.failures
        job = Job(self._canary.pixels, asyncio.get_running_loop().create_future(), canary=True)
        try:
            worker.put(job)
            while not job.answer.done() and worker.busy_seconds() <= self._supervision.model_timeout:
                await asyncio.wait({job.answer}, timeout=self._supervision.tick)
            if job.answer.done():
                self._settle(self._canary.fault(job.answer.result()))
        except InferenceStopped:
            pass
        except Exception as error:
            self._settle(repr(error))
        finally:
            job.answer.cancel()
        return worker.failures

    def _settle(self, fault: str | None) -> None:
        trouble = None if fault is None else f"the model fails on the photo it is tested with: {fault}"
        if trouble is not None and trouble != self._trouble:
            log.error("%s", trouble)
        elif trouble is None and self._trouble not in (None, STARTING):
            log.warning("the model answers again")
        self._trouble = trouble
        self._checked.set()

    def _end_process(self, reason: str) -> None:
        self._trouble, self._given_up = reason, True
        log.critical("%s: this process cannot be mended from within", reason)
        if self._worker is not None:
            self._worker.fail(InferenceStopped(reason))
        if self._give_up is not None:
            self._give_up(reason)
