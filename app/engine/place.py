"""The places of one request: taken, given back whatever happens, and left early when nobody waits any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from app.engine.admission import Admission
from app.engine.deadline import DEADLINE, DeadlineExceeded
from app.metrics import Metrics
from app.observability.spans import stage


class ClientGone(Exception):
    """The client has hung up; what is answered reaches nobody."""


class Client(Protocol):
    """Who waits for the answer."""

    def on_hang_up(self, call: Callable[[], None]) -> None:
        """Have `call` called, once, in the event loop, when the client hangs up after its whole body has come."""
        ...

    def forget(self) -> None:
        """Call nothing any more."""
        ...


class Place:
    """What a request holds while its photos are in the service.

    Args:
        key: who asks, for its quota; None has none.
        seconds: how long the request may take from `hold` on.
        client: told of when it hangs up; None never does.
    """

    def __init__(
        self, admission: Admission, *, key: str | None, seconds: float, client: Client | None, metrics: Metrics
    ) -> None:
        self._admission = admission
        self._key = key
        self._seconds = seconds
        self._client = client
        self._metrics = metrics
        self._held = 0

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold one place. What runs inside is cancelled when the time is over or the client is gone.

        Raises Overloaded, QuotaExceeded, Draining, DeadlineExceeded, ClientGone.
        """
        with stage("admission"):
            self._admission.take(self._key)
        self._held = 1
        late = DEADLINE.set(time.monotonic() + self._seconds)
        gone = False
        try:
            async with asyncio.timeout(self._seconds) as clock:

                def hang_up() -> None:
                    nonlocal gone
                    if not clock.expired():
                        gone = True
                        clock.reschedule(asyncio.get_running_loop().time())

                if self._client is not None:
                    self._client.on_hang_up(hang_up)
                yield
        except (TimeoutError, DeadlineExceeded) as error:
            if isinstance(error, TimeoutError) and not clock.expired():
                raise
            if gone:
                self._metrics.abandoned.inc(self._held)
                raise ClientGone("the client has hung up") from None
            self._metrics.expired.inc(self._held)
            raise DeadlineExceeded(self._seconds, self._admission.retry_after()) from None
        finally:
            DEADLINE.reset(late)
            if self._client is not None:
                self._client.forget()
            self._admission.give(self._key, self._held)
            self._held = 0

    def more(self, count: int) -> None:
        """Take so many more places, or none of them. Raises Overloaded, QuotaExceeded."""
        self._admission.take(self._key, count, begun=True)
        self._held += count

    def grow(self, most: int) -> int:
        """Hold up to `most` places, as far as there are free ones; returns how many are held, at least 1."""
        self.more(max(0, min(most - self._held, self._admission.room(self._key))))
        return self._held
