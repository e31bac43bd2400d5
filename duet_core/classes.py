"""The class table: names, raw degrees and the three views of them that must never be mixed up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


class ClassTableError(ValueError):
    """A class table whose parts contradict one another."""


def unit_rows(degrees: FloatArray) -> FloatArray:
    """Class vectors z (C, A) from degrees (C, A): each row divided by its L2 norm.

    Raises ClassTableError for a row without any degree, which has no direction.
    """
    norms: FloatArray = np.linalg.norm(degrees, axis=-1, keepdims=True)
    if not np.isfinite(norms).all() or (norms == 0).any():
        rows = np.flatnonzero(~np.isfinite(norms[..., 0]) | (norms[..., 0] == 0))[:3].tolist()
        raise ClassTableError(f"class rows {rows}: all degrees are 0 or one is not finite; give one above 0")
    unit: FloatArray = (degrees / norms).astype(np.float32)
    return unit


@dataclass(frozen=True)
class ClassTable:
    """C classes with the raw degrees of A attributes, as the benchmark's makers published them.

    Letter key: C classes, A attributes.

    Attributes:
        names: (C,) class names in label order, for example ``"002.Laysan_Albatross"``.
        raw: (C, A) raw degrees, any scale (0…100 for CUB and AWA2, 0…1 for SUN).
        seen: (C,) True where the class has training photos.
    """

    names: tuple[str, ...]
    raw: FloatArray
    seen: BoolArray

    def __post_init__(self) -> None:
        if self.raw.ndim != 2 or len(self.names) != self.raw.shape[0] or self.seen.shape != (len(self.names),):
            raise ClassTableError(
                f"{len(self.names)} names, raw {self.raw.shape}, seen {self.seen.shape}; expected C, (C, A) and (C,)"
            )
        if len(set(self.names)) != len(self.names):
            raise ClassTableError("class names repeat; each class needs its own name")
        if not np.isfinite(self.raw).all():
            raise ClassTableError("raw degrees contain NaN or infinity; every degree must be a finite number")

    @cached_property
    def z(self) -> FloatArray:
        """(C, A) class vectors, unit L2 norm: the view for scores (Eqs. 7, 8, 11, 22)."""
        return unit_rows(self.raw)

    @cached_property
    def degree(self) -> FloatArray:
        """(C, A) degrees in 0…1 by one global min-max: the view for weights and distances (Eqs. 5, 15, 18)."""
        low, high = float(self.raw.min()), float(self.raw.max())
        if high == low:
            raise ClassTableError(f"all raw degrees equal {low}; the classes cannot be told apart")
        return ((self.raw - low) / (high - low)).astype(np.float32)

    @cached_property
    def present(self) -> BoolArray:
        """(C, A) True where the raw degree exceeds the mean of ALL entries: the attribute set A_c of each class.

        One global threshold. It reproduces AWA2's official binary matrix without a mismatch.
        """
        return np.asarray(self.raw > self.raw.mean(dtype=np.float64))
