"""The processes of one run under torchrun: who goes first, and what they tell each other."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed
from torch import Tensor
from torch.distributed import ProcessGroup

_PATIENCE = timedelta(hours=12)
"""How long the other processes wait while the first decodes the photos."""
_LISTING_SECONDS = 60.0
"""How long a network file system may take to show a file that another node has made."""
_BROKEN = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe", "peer")
"""Words of torch's errors when another process is gone."""


class ProcessLostError(RuntimeError):
    """Another process of the run has ended."""


@dataclass(frozen=True)
class Processes:
    """This process among those of a run started by torchrun; a single process otherwise.

    Attributes:
        rank: of this process, 0…world - 1; 0 writes checkpoints, logs and records.
        world: number of processes on all nodes.
        local: of this process on its node.
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    @cached_property
    def group(self) -> ProcessGroup | None:
        """The group in which rows are gathered: its own, so that they never cross the exchange of gradients.

        None for a single process. All processes must ask for it at the same point.
        """
        return cast(ProcessGroup, torch.distributed.new_group()) if self.world > 1 else None

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """The first process runs the body alone, then the first of each other node, then all others.

        For files that one makes and all read, in a folder that the nodes share or that each has for itself.
        """
        if self.world == 1:
            yield
            return
        # On gloo, also beside NCCL: it waits without occupying a GPU, and as long as it takes.
        group = cast(ProcessGroup, torch.distributed.new_group(backend="gloo", timeout=_PATIENCE))
        turn = 0 if self.rank == 0 else 1 if self.local == 0 else 2
        for _ in range(turn):
            torch.distributed.barrier(group)
        yield
        for _ in range(turn, 2):
            torch.distributed.barrier(group)

    def gather(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """The rows (n, …) of all processes, one process after the other, with their gradients.

        Args:
            rows: of this process.
            sizes: how many each process has; sizes[rank] is n. Each process must know all.

        Returns:
            (Σ sizes, …), the same in every process. A gradient with regard to it is summed over the processes.
        """
        if self.world == 1:
            return rows
        return cast(Tensor, _Gather.apply(rows, tuple(sizes), self))

    def mean(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The mean over the processes of each scalar; all have the same names."""
        if self.world == 1:
            return values
        stacked = torch.stack([value.detach().float() for value in values.values()])
        torch.distributed.all_reduce(stacked, group=self.group)
        return dict(zip(values, stacked / self.world, strict=True))

    def told(self, value: Any) -> list[Any]:
        """What each process gave, by rank; any picklable value."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(values, value)
        return values

    def check_shared(self, folder: Path, *, patience: float = _LISTING_SECONDS) -> None:
        """Make sure that all processes see one and the same folder, where the first one writes and all read.

        Args:
            folder: of the runs; made when it is missing.
            patience: seconds to wait for a file system to show what another node wrote.

        Raises OSError, with the nodes that do not, in every process.
        """
        if self.world == 1:
            return
        token = self.told(uuid.uuid4().hex)[0]
        mark = folder / f".shared-{token}"
        if self.rank == 0:
            folder.mkdir(parents=True, exist_ok=True)
            mark.touch()
        self.told(None)
        until = time.monotonic() + patience
        while not (is_there := mark.exists()) and time.monotonic() < until:
            time.sleep(0.5)
        seen = self.told((socket.gethostname(), is_there))
        if self.rank == 0:
            mark.unlink()
        blind = sorted({node for node, sees in seen if not sees})
        if blind:
            raise OSError(
                f"{folder} on {', '.join(blind)} is not the folder that the first process ({seen[0][0]}) writes to; "
                "give all nodes one shared folder: --out /shared/runs/NAME"
            )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Turn what torch raises when another process is gone into ProcessLostError, which says what to do."""
        try:
            yield
        except RuntimeError as error:
            if self.world == 1 or not any(word in str(error).lower() for word in _BROKEN):
                raise
            raise ProcessLostError(
                f"process {self.rank} of {self.world} lost another one ({str(error).splitlines()[0][:160]}); the cause "
                "is in that one's own output. The newest checkpoint is kept: the same command goes on from there"
            ) from error


class _Gather(torch.autograd.Function):
    """`Processes.gather`; torch's own needs equal sizes, and is deprecated."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: tuple[int, ...], processes: Processes) -> Tensor:
        ctx.sizes, ctx.processes = sizes, processes
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        torch.distributed.all_gather(parts, padded, group=processes.group)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradients[0].contiguous().clone()
        torch.distributed.all_reduce(gradient, group=ctx.processes.group)
        return torch.split(gradient, ctx.sizes)[ctx.processes.rank], None, None
