"""/spaces: class spaces as a whole, and the audit log."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.answers import ChangedSpace, Log, LoggedWrite, SpaceList, SpaceSettings, SpaceSummary
from app.api.bodies import json_body, read_json
from app.api.deps import Actor, Space, TheService, revision_header
from app.api.writing import show
from app.patterns import SLUG
from app.problems import Problem, from_errors
from app.registry.follower import DEFAULT_SPACE
from app.registry.reading import read_all
from app.registry.store import ABSENT, Act, Put, SpaceExists, SpaceInfo, SpaceMissing, StoreError, settings_record
from app.service import Service

router = APIRouter(tags=["Class spaces"])

SpaceName = Annotated[str, Path(pattern=SLUG, description="Name of a class space.", examples=["warblers"])]


class NewSpace(BaseModel):
    """A class space to make."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"name": "warblers", "label": "Warblers"},
                {"name": "draft", "label": "Draft of the default space", "copy_of": "default"},
            ]
        },
    )

    name: str = Field(pattern=SLUG, description="1 to 64 lower-case letters, digits and inner hyphens.")
    label: str = Field(default="", max_length=120, description="Name for people.")
    copy_of: str | None = Field(default=None, pattern=SLUG, description="Begin with all that this space has.")


TO_THE_SPACE: dict[str, Any] = {
    "links": {
        "classes": {
            "operationRef": "#/paths/~1spaces~1{space}~1classes/post",
            "parameters": {"space": "$response.body#/name"},
        }
    }
}
"""Says in /docs which part of the answer the paths below /spaces/{space} want."""


class SpaceChange(BaseModel):
    """What to change of a class space."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"gamma": 1.2}]})

    gamma: float | None = Field(
        ge=-1000,
        le=1000,
        allow_inf_nan=False,
        description="γ of answers from this space that ask for no other; null gives the model's back.",
    )


@router.get("/spaces", summary="List class spaces")
async def list_spaces(service: TheService) -> SpaceList:
    """The default space and every other that was made or written to.

    Any other name stands for an empty space: the bundle's seen classes.
    """
    return SpaceList(spaces=[_summary(info) for info in await _spaces(service)])


@router.post(
    "/spaces",
    summary="Make or copy a class space",
    status_code=201,
    openapi_extra=json_body(NewSpace),
    responses={201: TO_THE_SPACE},
)
async def make_space(request: Request, response: Response, service: TheService, actor: Actor) -> ChangedSpace:
    """Make an empty space, or a copy of another at one revision: its registered, hidden and relabelled classes
    and its γ."""
    data = await read_json(request, service.settings, NewSpace)
    try:
        new = NewSpace.model_validate(data)
    except ValidationError as error:
        raise from_errors("invalid-parameter", error.errors(include_url=False), NewSpace) from None
    changes, act = [], Act("create-space", actor)
    if new.copy_of is not None:
        await _info(service, new.copy_of)
        head, records = await read_all(service.store, new.copy_of)
        changes = [Put(record, ABSENT) for record in records]
        act = Act(f"copy-space {new.copy_of}@{head.revision}", actor)
    try:
        written = await service.store.write(new.name, changes, act, space_change="create", label=new.label)
    except SpaceExists:
        raise Problem("space-exists", f"There is a space {new.name!r} already.", {"got": new.name}) from None
    await show(service, new.name)
    response.headers["Location"] = f"/spaces/{new.name}"
    response.headers.update(revision_header(written.revision))
    return ChangedSpace(name=new.name, revision=written.revision)


@router.get("/spaces/{name}", summary="One class space")
async def get_space(name: SpaceName, response: Response, service: TheService) -> SpaceSummary:
    """What the store says of a space."""
    info = await _info(service, name)
    response.headers.update(revision_header(info.revision))
    return _summary(info)


@router.patch("/spaces/{name}", summary="Change a class space", openapi_extra=json_body(SpaceChange))
async def change_space(
    name: SpaceName, request: Request, response: Response, service: TheService, actor: Actor
) -> SpaceSettings:
    """Set or clear the γ of a space: how far it favours registered classes over seen ones, without a new model.

    It is a write like that of a class: under a revision of its own, in the log, seen by every replica. Guarantees of
    sets given before are void from then on.
    """
    data = await read_json(request, service.settings, SpaceChange)
    try:
        asked = SpaceChange.model_validate(data)
    except ValidationError as error:
        raise from_errors("invalid-parameter", error.errors(include_url=False), SpaceChange) from None
    await _info(service, name)
    act = Act("clear-gamma" if asked.gamma is None else f"set-gamma {asked.gamma:g}", actor)
    record = settings_record(service.schema_id, gamma=asked.gamma)
    written = await service.store.write(name, [Put(record)], act)
    await show(service, name)
    response.headers.update(revision_header(written.revision))
    return SpaceSettings(name=name, gamma=asked.gamma, revision=written.revision)


@router.delete("/spaces/{name}", summary="Delete a class space")
async def delete_space(name: SpaceName, response: Response, service: TheService, actor: Actor) -> ChangedSpace:
    """Delete a space with its classes and labelled photos. Its log and its revision go on, should it be made again."""
    if name == DEFAULT_SPACE:
        raise Problem("space-is-default", "The default space cannot be deleted.", {"got": name})
    try:
        written = await service.store.write(name, [], Act("delete-space", actor), space_change="delete")
    except SpaceMissing:
        raise _missing(name) from None
    await show(service, name)
    with contextlib.suppress(StoreError):  # what stays is of an older revision, and so vouches for nothing
        await service.labelled.forget(name)
    response.headers.update(revision_header(written.revision))
    return ChangedSpace(name=name, revision=written.revision)


log_router = APIRouter(tags=["Class spaces"])


@log_router.get("/log", summary="Who changed what, and when")
async def read_log(
    response: Response,
    service: TheService,
    before: Annotated[int | None, Query(ge=1, description="Only entries below this revision.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    space: Space = DEFAULT_SPACE,
) -> Log:
    """The last writes to a class space, newest first; the last ten thousand are remembered."""
    head = await service.store.head(space)
    entries = await service.store.log(space, before, limit)
    response.headers.update(revision_header(head.revision))
    return Log(
        entries=[
            LoggedWrite(
                revision=entry.revision,
                at=entry.at,
                actor=entry.actor,
                operation=entry.operation,
                count=entry.count,
                ids=list(entry.ids),
            )
            for entry in entries
        ]
    )


async def _spaces(service: Service) -> list[SpaceInfo]:
    """All spaces by name; the default one is there from the start."""
    found = {info.name: info for info in await service.store.spaces()}
    default = SpaceInfo(name=DEFAULT_SPACE, revision=0, classes=0, label="", created_at="")
    return sorted(({DEFAULT_SPACE: default} | found).values(), key=lambda info: info.name)


async def _info(service: Service, name: str) -> SpaceInfo:
    for info in await _spaces(service):
        if info.name == name:
            return info
    raise _missing(name)


def _missing(name: str) -> Problem:
    return Problem("space-not-found", f"There is no space {name!r}.", {"got": name, "allowed": "/spaces lists them"})


def _summary(info: SpaceInfo) -> SpaceSummary:
    return SpaceSummary(
        name=info.name,
        label=info.label,
        classes=info.classes,
        revision=info.revision,
        created_at=info.created_at,
        gamma=info.gamma,
    )
