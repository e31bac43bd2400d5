"""When a worker counts as dead, hung or broken, and what is then done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.engine.image_states import ImageState


@dataclass(frozen=True)
class Supervision:
    """Times in seconds.

    Attributes:
        model_timeout: a model call that takes longer makes the process unready; twice as long gives it up.
        canary_every: an idle model is asked for the canary photo this often; 0 asks at the start of a worker only.
        max_deaths: so many ends of the thread in a row give the process up.
        first_pause, longest_pause: before a new thread is begun; doubled with every death in a row.
        steady: a thread that lived this long ends a row of deaths.
        tick: how often the worker is looked at.
    """

    model_timeout: float = 60.0
    canary_every: float = 30.0
    max_deaths: int = 5
    first_pause: float = 0.1
    longest_pause: float = 10.0
    steady: float = 60.0
    tick: float = 0.5

    def pause(self, deaths: int) -> float:
        """Seconds before the next thread, after so many deaths in a row.

        >>> [Supervision().pause(deaths) for deaths in (1, 2, 3, 20)]
        [0.1, 0.2, 0.4, 10.0]
        """
        return min(self.longest_pause, self.first_pause * 2.0 ** (deaths - 1))


@dataclass(frozen=True, eq=False)
class Canary:
    """A photo whose answer is known to be right or wrong.

    Attributes:
        pixels: (3, S, S).
        fault: what is wrong with the answer, for the log and /readyz; None when nothing is.
    """

    pixels: NDArray[np.float32]
    fault: Callable[[ImageState], str | None]


def black_canary(side: int) -> Canary:
    """A black photo (3, side, side), of which the answer must be finite."""

    def fault(image: ImageState) -> str | None:
        return None if np.isfinite(image.v).all() else "v of a black photo is not finite"

    return Canary(np.zeros((3, side, side), dtype=np.float32), fault)
