"""The same shards on a Ray cluster: Ray Data hands out their numbers, actors that hold an ONNX session do them.

Each shard is one task. Its rows do not travel through Ray: the actor writes the shard where every other way of working
writes it, under its own name, whole or not at all. So a task that Ray repeats, after an actor or its machine was lost,
puts the same rows in the same place.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duet_core.bulk.worker import Progress, Work, Worker

LOCAL = "local"
_MOST_BLOCKS = 10_000
"""Ray Data keeps track of every block; with more shards than this, a block holds several."""


class ShardActor:
    """A `Worker` as Ray Data calls it: opened once an actor, then given batches of shard numbers."""

    def __init__(self, work: Work) -> None:
        self._worker = Worker(work)

    def __call__(self, batch: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """`shard` (n,) -> `photos` and `refused` (n,) of each."""
        counts = []
        for number in batch["shard"].tolist():
            steps = list(self._worker.do([number]))
            counts.append((sum(step.photos for step in steps), sum(step.refused for step in steps)))
        photos, refused = np.asarray(counts, dtype=np.int64).T
        return {"photos": photos, "refused": refused}


def do_on_ray(
    work: Work, numbers: Sequence[int], *, address: str, actors: int | None, cpus_per_actor: int
) -> Iterator[Progress]:
    """Answer and write these shards, telling of each that is done.

    Every machine has to see the photos, the bundle and the work folder under the same paths, and to have this package.

    Args:
        address: of the cluster, as `ray.init` takes it; "auto" for the one this machine belongs to, "local" to start
            one on this machine that ends with the job.
        actors: most actors at once; None for as many as the cluster has CPUs for.
        cpus_per_actor: CPUs that each takes, and threads that each gives to the model and to decoding.

    Raises:
        RuntimeError: an actor failed for another reason than that it was lost; the message is its error.
        ConnectionError: no cluster at that address.
    """
    ray = _quiet_ray()
    local = {"include_dashboard": False} if address == LOCAL else {}
    ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
    try:
        cpus = int(ray.cluster_resources().get("CPU", 0))
        most = max(1, cpus // cpus_per_actor) if actors is None else actors
        numbered = ray.data.from_items(
            [{"shard": number} for number in numbers], override_num_blocks=min(len(numbers), _MOST_BLOCKS)
        )
        done = numbered.map_batches(
            ShardActor,
            fn_constructor_args=[replace(work, threads=cpus_per_actor, decode_workers=cpus_per_actor)],
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(most, len(numbers))),
            num_cpus=cpus_per_actor,
        )  # an actor that is lost is begun again, and its shard too: Ray Data does so without end
        for row in done.iter_rows():
            yield Progress(row["photos"], row["refused"])
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"on Ray: {error.__cause__ or error}") from error
    finally:
        ray.shutdown()


def _quiet_ray() -> Any:
    """Ray with its data library, told to report to nobody and to print nothing. Raises ModuleNotFoundError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of this process; its files below /tmp/ray say more
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console":
            handler.setLevel(logging.ERROR)
    return ray
