"""POST /admin/model: serve another bundle, without a pause."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.answers import Answer
from app.api.bodies import json_body, read_json
from app.api.deps import TheModels
from app.bundle_names import NoSuchBundle, bundle_named
from app.model_swap import CarriedSpace, ModelName, ModelSwap, Swap, SwapBusy, SwapRefused
from app.patterns import FOLDER
from app.problems import Problem, from_errors, retry_after

router = APIRouter(prefix="/admin", tags=["Operation"])

BUSY_RETRY_SECONDS = 5
REASONS_SHOWN = 100


class WantedModel(BaseModel):
    """Which bundle to serve."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"bundle": "birds"}]})

    bundle: str = Field(
        pattern=FOLDER, description="Name of a folder in DUET_BUNDLES, which is the folder of DUET_BUNDLE unless set."
    )


class BundleName(Answer):
    """A bundle."""

    id: str
    checksum: str = Field(description="sha256 of its manifest, which holds that of every other file.")


class LeftOutClass(Answer):
    """A registered class that the new bundle cannot tell; the store keeps it."""

    class_id: str
    reason: str


class CarriedClasses(Answer):
    """What became of the registered classes of a class space."""

    space: str
    kept: int = Field(description="As they were: the new bundle has the same attributes.")
    re_embedded: int = Field(description="Described for other attributes, and expressed in the new ones.")
    left_out: int = Field(description="No candidates: the new attributes cannot express them, or they are seen now.")
    reasons: list[LeftOutClass] = Field(description="The first hundred left out; GET /classes?left_out=true has all.")
    gamma: float | None = Field(description="γ that the space sets itself: it was chosen for the model before.")


class SwappedModel(Answer):
    """The new bundle answers."""

    bundle: str
    before: BundleName
    now: BundleName
    seconds: float = Field(description="From the request until the new model answered; the old one did meanwhile.")
    spaces: list[CarriedClasses] = Field(description="The class spaces in use; others follow when they are used.")


class SwapAttempt(Answer):
    """The last time another bundle was asked for, and what came of it."""

    bundle: str
    asked_by: Literal["api", "signal"]
    at: str = Field(description="When it began, ISO 8601, UTC.")
    seconds: float
    served: bool = Field(description="False: refused, and the model before it goes on.")
    reason: str | None = Field(description="Why it was refused.")
    before: BundleName
    now: BundleName


@router.post("/model", summary="Serve another bundle", openapi_extra=json_body(WantedModel))
async def swap_model(request: Request, models: TheModels) -> SwappedModel:
    """Open a bundle, check it and let it answer in place of the one that does; no request fails or waits meanwhile.

    Checksums, the golden picture and a first run are the check: a bundle that fails it is refused with the reason and
    nothing changes. Requests keep the model they began with. It holds for this process until it ends: start and SIGHUP
    take DUET_BUNDLE.
    """
    settings = models.service.settings
    try:
        wanted = WantedModel.model_validate(await read_json(request, settings, WantedModel))
    except ValidationError as error:
        raise from_errors("invalid-request", error.errors(include_url=False), WantedModel) from None
    try:
        folder = await asyncio.to_thread(bundle_named, wanted.bundle, settings.bundle_folder)
        done = await models.swap(folder, name=wanted.bundle, asked_by="api")
    except NoSuchBundle as error:
        raise Problem("bundle-not-found", f"{error}.", {"got": wanted.bundle, "allowed": list(error.names)}) from None
    except SwapBusy as error:
        raise Problem("swap-under-way", f"{error}.", headers=retry_after(BUSY_RETRY_SECONDS)) from None
    except SwapRefused as error:
        serves = models.service.bundle.model_id
        raise Problem("bundle-refused", f"{error}. {serves} goes on.", {"got": wanted.bundle}) from None
    return SwappedModel(
        bundle=done.bundle,
        before=_named(done.before),
        now=_named(done.now),
        seconds=done.seconds,
        spaces=[_carried(space) for space in done.spaces],
    )


def last_attempt(models: ModelSwap) -> SwapAttempt | None:
    """What GET /model says of the last swap; None where none was asked for."""
    last: Swap | None = models.last
    if last is None:
        return None
    return SwapAttempt(
        bundle=last.bundle,
        asked_by=last.asked_by,
        at=last.at,
        seconds=last.seconds,
        served=last.refused is None,
        reason=last.refused,
        before=_named(last.before),
        now=_named(last.now),
    )


def _carried(space: CarriedSpace) -> CarriedClasses:
    shown = list(space.left_out.items())[:REASONS_SHOWN]
    return CarriedClasses(
        space=space.space,
        kept=space.kept,
        re_embedded=space.re_embedded,
        left_out=len(space.left_out),
        reasons=[LeftOutClass(class_id=class_id, reason=reason) for class_id, reason in shown],
        gamma=space.gamma,
    )


def _named(model: ModelName) -> BundleName:
    return BundleName(id=model.id, checksum=model.checksum)
