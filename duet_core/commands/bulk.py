"""`duet bulk`: the classes of all photos of a folder or a list, as one Parquet file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.commands.location import bundle_folder
from duet_core.commands.remote import connect
from duet_core.runtime import Candidates
from duet_core.runtime.photo_parts import MAX_ASPECT
from duet_core.runtime.sessions import thread_count

if TYPE_CHECKING:  # pyarrow is imported when a job runs: help needs none
    from duet_core.bulk.begin import Options, Service
    from duet_core.bulk.job import Job
    from duet_core.bulk.worker import Progress, Work

    Way = Callable[[Work, Sequence[int]], Iterator[Progress]]


def run(
    photos: Path,
    *,
    out: Path = Path("predictions.parquet"),
    bundle: Path | None = None,
    classes: Path | None = None,
    server: str | None = None,
    key: str | None = None,
    space: str = "default",
    candidates: Candidates = "all",
    top_k: int = 3,
    gamma: float | None = None,
    attributes: bool = False,
    column: str = "path",
    shard_rows: int = 2000,
    batch: int = 16,
    decode_workers: int | None = None,
    max_bytes: int = 10 * 2**20,
    max_pixels: int = 25_000_000,
    max_side: int = 10_000,
    decode_memory: int = 256 * 2**20,
    restart: bool = False,
    ray: str | None = None,
    ray_actors: int | None = None,
    ray_cpus: int = 1,
) -> Iterator[str]:
    """Name the class of every photo of a folder or a list, one row each in a Parquet file, as the service would.

    A job that was stopped or killed goes on when the same command is run again: no row twice, none missing. The photos
    are those found when it began.

    Args:
        photos: folder, or list: a .txt file with a path a line, a .csv or .parquet file with a column of paths.
        out: the file to make.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds.
        classes: .jsonl or .csv file of classes that compete besides the bundle's, as `duet classes export` writes it.
        server: in place of a file, address of a service whose classes compete, as they are when the job begins.
        key: API key for it; better kept in DUET_KEY than typed.
        space: its class space.
        candidates: which classes compete.
        top_k: how many classes to keep of each photo.
        gamma: taken off the score of seen classes; default what the class space sets, else the bundle's.
        attributes: also keep v, the predicted attributes.
        column: where a list of several columns has its paths.
        shard_rows: photos done and written together; what a kill costs at most.
        batch: photos given to the model at once.
        decode_workers: threads that read and decode; default one a CPU.
        max_bytes: largest file that is read.
        max_pixels: largest photo that is decoded.
        max_side: longest side of a photo in pixels.
        decode_memory: most bytes that decoding one photo may need.
        restart: forget what was done of another job for the same file, and begin anew.
        ray: do it on a Ray cluster: its address, auto for the one this machine belongs to, local to start one here.
        ray_actors: most actors at once there; default as many as it has CPUs for.
        ray_cpus: CPUs of each actor.
    """
    from duet_core.bulk.begin import Options
    from duet_core.bulk.classifier import Question
    from duet_core.runtime.photos import PhotoLimits

    way = _way(ray, actors=ray_actors, cpus_per_actor=ray_cpus)
    yield _run(
        Options(
            photos=photos,
            column=column,
            out=out,
            bundle=bundle_folder(bundle),
            classes=classes if server is None else _service(server, key, space, file=classes),
            question=Question(candidates=candidates, top_k=top_k, gamma=gamma),
            attributes=attributes,
            limits=PhotoLimits(pixels=max_pixels, side=max_side, aspect=MAX_ASPECT, memory=decode_memory),
            max_bytes=max_bytes,
            shard_rows=shard_rows,
            batch=batch,
            decode_workers=thread_count() if decode_workers is None else decode_workers,
            restart=restart,
        ),
        way,
    )


def _way(ray: str | None, *, actors: int | None, cpus_per_actor: int) -> Way:
    """How shards are done: by this process, or by actors of a Ray cluster. Raises ValueError for none of them."""
    if cpus_per_actor < 1 or (actors is not None and actors < 1):
        raise ValueError(f"got --ray-cpus {cpus_per_actor}, --ray-actors {actors}; at least 1 is allowed")
    return _here if ray is None else partial(_on_ray, address=ray, actors=actors, cpus_per_actor=cpus_per_actor)


def _service(server: str, key: str | None, space: str, *, file: Path | None) -> Service:
    """Where to fetch classes from. Raises ValueError when a file names them too."""
    from duet_core.bulk.begin import Service

    if file is not None:
        raise ValueError("got both --classes and --server; give one of them")

    def fetch() -> tuple[bytes, float | None]:
        with connect(server, key) as duet:
            return duet.export_classes(kind="jsonl", space=space), duet.get_space(space).gamma

    return Service(address=server, space=space, fetch=fetch)


def _here(work: Work, numbers: Sequence[int]) -> Iterator[Progress]:
    from duet_core.bulk.worker import Worker

    return Worker(work).do(numbers)


def _on_ray(
    work: Work, numbers: Sequence[int], *, address: str, actors: int | None, cpus_per_actor: int
) -> Iterator[Progress]:
    from duet_core.bulk.on_ray import do_on_ray

    return do_on_ray(work, numbers, address=address, actors=actors, cpus_per_actor=cpus_per_actor)


def _run(options: Options, way: Way) -> str:
    from duet_core.bulk.begin import begin
    from duet_core.bulk.job import locked

    with locked(options.out):
        begun = begin(options)
        if begun is None:
            return f"{options.out} is finished already; nothing was done"
        job, work = begun
        return _work(job, work, way)


def _work(job: Job, work: Work, way: Way) -> str:
    """Do what is left of a job; returns what there is to say of it."""
    from duet_core.bulk.progress import ProgressLine

    done = job.done()
    left = [shard for shard in range(job.shards) if shard not in done]
    line = ProgressLine(total=job.photos, done=job.rows_in(done))
    try:
        for step in way(work, left) if left else ():
            line.add(step.photos, step.refused)
        refused = job.join()
    except KeyboardInterrupt:
        line.close()
        sys.stderr.write(f"stopped: {_go_on(job)}\n")
        raise
    except OSError as error:
        raise RuntimeError(f"{error}; {_go_on(job)}") from error
    finally:
        line.close()
    return (
        f"{job.out}: {job.photos} photos, {refused} of them refused; {job.left_out} files were no photos\n"
        f"{line.photos} photos in this run, {line.rate:.1f} a second"
    )


def _go_on(job: Job) -> str:
    done = job.rows_in(job.done())
    return f"{done} of {job.photos} photos are safe; the same command, without --restart, goes on from there"
