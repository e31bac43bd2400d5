"""Memory that the C library keeps for later, given back to the machine."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return what is free to the operating system; does nothing where the C library is not glibc.

    After a photo of 100 MB glibc keeps its blocks, in the heap of the thread that decoded it: with two threads the
    service would hold twice what one photo takes, for ever. A setting that maps all large blocks anew would cost every
    tensor of a batch; this costs some milliseconds, after large photos only.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
