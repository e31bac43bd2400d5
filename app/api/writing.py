"""What every route that writes a class does besides: conditions, near duplicates, and showing the write."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import numpy as np
from fastapi import Request, Response

from app.api.answers import ClassKind, NearDuplicate
from app.api.deps import missing, revision_header
from app.observability.spans import stage
from app.problems import Problem
from app.registry.store import ABSENT, ANY, PRESENT, SETTINGS, Act, Change, ClassRecord, StoreError, Written
from app.served_model import ServedModel
from app.service import Service
from duet_core.classes import FloatArray
from duet_core.runtime import ClassSet

NEAR = 0.99
"""Cosine from which two classes can hardly be told apart. Of the 94 seen classes of models/birds one pair is above."""
NEAR_SHOWN = 5


def etag(record: ClassRecord | None) -> str:
    """Names one version of a class; a seen class that the space did not change has version 0."""
    return _tag(record) if record is not None else '"0-0"'


def _tag(version: ClassRecord | Written) -> str:
    return f'"{version.version}-{version.revision}"'


def expected(request: Request, current: ClassRecord | None) -> int | None:
    """What the write must find, from If-Match and If-None-Match and the class as it is: see Put.

    Raises Problem precondition-failed when it is not so already.
    """
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if unwanted is not None:
        if unwanted.strip() != "*" or current is not None:
            raise precondition_failed(f"If-None-Match: {unwanted}", current)
        return ABSENT
    if wanted is None:
        return ANY
    if wanted.strip() == "*":
        if current is None:
            raise precondition_failed(f"If-Match: {wanted}", current)
        return PRESENT
    if etag(current) not in [tag.strip() for tag in wanted.split(",")]:
        raise precondition_failed(f"If-Match: {wanted}", current)
    return current.revision if current else ABSENT


def precondition_failed(condition: str, current: ClassRecord | None) -> Problem:
    """The class is not, or no longer, as the client believes."""
    there = "there is no such class" if current is None else f"the class is at version {current.version}"
    members = {"got": condition[:200], "allowed": etag(current)}
    return Problem("precondition-failed", f"{condition[:200]} does not hold: {there}; nothing was stored.", members)


def shown_kind(record: ClassRecord | None) -> ClassKind:
    """How a class was described; seen ones are the bundle's, changed by the space or not."""
    if record is None or record.kind == "seen" or record.kind == "settings":
        return "bundle"
    return record.kind


def check_is_class(class_id: str, space: str) -> None:
    """Raises Problem class-not-found for the id under which the store keeps the settings of the space."""
    if class_id == SETTINGS:
        raise missing(class_id, space)


async def write(service: Service, space: str, changes: Sequence[Change], act: Act) -> Written:
    """Store, count and show; see ClassStore.write for what is raised."""
    with stage("store.write"):
        written = await service.store.write(space, changes, act)
    service.metrics.writes.labels(act.operation).inc(len(changes))
    await show(service, space)
    return written


async def show(service: Service, space: str) -> None:
    """Make a write of our own visible here at once. If the store has gone away since, the follower catches up.

    Also to requests that get another model: the one that takes over while this request lasts.
    """
    model: ServedModel | None = service.model
    while model is not None:
        with contextlib.suppress(StoreError):
            await model.follower.refresh(space)
        model = model.successor


def write_headers(response: Response, written: Written) -> None:
    """The ETag of the class just written, and the revision to give as `min_revision` to other replicas."""
    response.headers["ETag"] = _tag(written)
    response.headers.update(revision_header(written.revision))


async def near_duplicates(service: Service, space: str, record: ClassRecord) -> list[NearDuplicate]:
    """The nearest other classes of the space, when they are too near; empty while there is no snapshot."""
    with contextlib.suppress(StoreError):
        snapshot = await service.follower.snapshot(space)
        return await asyncio.to_thread(near, snapshot.classes, record.id, record.vector())
    return []


def near(classes: ClassSet, class_id: str, degrees: FloatArray) -> list[NearDuplicate]:
    """Classes other than `class_id` described by nearly the same degrees (A,), nearest first."""
    similar = classes.cosines(degrees)
    rows = np.flatnonzero(similar >= NEAR)
    order = [int(row) for row in rows[np.argsort(-similar[rows], kind="stable")]]
    found = [row for row in order if classes.class_id(row) != class_id][:NEAR_SHOWN]
    return [
        NearDuplicate(
            class_id=classes.class_id(row),
            label=classes.label(row),
            seen=bool(classes.seen[row]),
            similarity=round(float(similar[row]), 4),
        )
        for row in found
    ]
