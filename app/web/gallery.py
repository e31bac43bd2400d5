"""/gallery: a few pictures to try, those shipped with the page or those in the operator's folder (DUET_GALLERY)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import FileResponse, JSONResponse

from app.api.deps import TheService
from app.problems import Problem
from app.web.assets import ASK_AGAIN, STATIC

SHIPPED = STATIC / "gallery"
KINDS = (".jpg", ".jpeg", ".png", ".webp")
MOST = 24
KEPT = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}


class GalleryError(ValueError):
    """gallery.json cannot be used; the message says why."""


class Picture(BaseModel):
    """A picture and what the page says of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(pattern=r"^[\w][\w .-]*$", description="Its name in the folder.")
    label: str = Field(min_length=1, max_length=80)
    credit: str = Field(default="", max_length=120, description="Author and licence.")
    source: str = Field(default="", max_length=300)
    name: str = Field(default="", max_length=120, description="Name that the page offers for a description of it.")
    sentence: str = Field(default="", max_length=2000, description="The description it offers.")


class Listing(BaseModel):
    """gallery.json: the pictures in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: list[Picture] = Field(max_length=MOST)
    needs_attribute: str | None = Field(
        default=None, description="The pictures are offered only by a model that knows this attribute."
    )


def read_gallery(folder: Path) -> Listing:
    """The listing of a folder: its gallery.json, or without one its pictures by name.

    Raises GalleryError when there is no such folder or gallery.json is wrong.
    """
    if not folder.is_dir():
        raise GalleryError(f"DUET_GALLERY {folder.name!r} is no folder; give one with photos in it, such as ./gallery")
    listing = folder / "gallery.json"
    if not listing.is_file():
        files = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in KINDS)[:MOST]
        return Listing(pictures=[Picture(file=name, label=_label(name)) for name in files])
    try:
        found = Listing.model_validate(json.loads(listing.read_text(encoding="utf-8")))
    except (ValidationError, json.JSONDecodeError) as error:
        raise GalleryError(f"{folder.name}/gallery.json: {error}") from None
    missing = [picture.file for picture in found.pictures if not (folder / picture.file).is_file()]
    if missing:
        raise GalleryError(f"{folder.name}/gallery.json names {missing[0]!r}, which is not in the folder")
    return found


def _label(name: str) -> str:
    """ "red-panda_2.jpg" as "Red panda 2"."""
    words = " ".join(Path(name).stem.replace("-", " ").replace("_", " ").split())
    return (words[:1].upper() + words[1:])[:80] or name


router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Gallery:
    """A folder and what is offered of it."""

    folder: Path
    listing: Listing


def install(app: FastAPI, folder: Path | None) -> None:
    """Read the listing once and serve the gallery. Raises GalleryError."""
    chosen = SHIPPED if folder is None else folder
    app.state.gallery = Gallery(chosen, read_gallery(chosen))
    app.include_router(router)


@router.get("/gallery")
async def gallery(request: Request, service: TheService) -> JSONResponse:
    """The pictures the page offers; none where the model is not made for them."""
    found: Gallery = request.app.state.gallery
    needed = found.listing.needs_attribute
    fits = needed is None or service.bundle.schema.find(needed) is not None
    shown = [picture.model_dump() for picture in found.listing.pictures] if fits else []
    return JSONResponse({"pictures": shown}, headers={"Cache-Control": ASK_AGAIN})


@router.get("/gallery/{name}")
async def picture(name: str, request: Request) -> FileResponse:
    """One of them; nothing else of the folder is served."""
    found: Gallery = request.app.state.gallery
    if name not in {offered.file for offered in found.listing.pictures}:
        told = {"got": name[:80], "allowed": "/gallery lists the pictures"}
        raise Problem("not-found", f"There is nothing at {request.url.path}.", told)
    return FileResponse(found.folder / name, headers=KEPT)
