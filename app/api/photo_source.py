"""Where the photo of a request comes from: its body, a text in JSON, or a URL where the operator allows that."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from app.api.bodies import PHOTO_BODY, json_body, photo_from_base64, read_json, read_photo
from app.fetch.fetcher import NotFetched, PhotoTooLarge
from app.fetch.targets import EXAMPLE, LONGEST, UrlRefused
from app.observability.spans import stage
from app.problems import Problem, from_errors
from app.service import Service


class PhotoUrl(BaseModel):
    """A photo by its address."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"url": EXAMPLE}]})

    url: str = Field(
        max_length=LONGEST,
        description="Where a JPEG, PNG or WebP photo lies. Only where the service has `DUET_FETCH_URLS`.",
    )


PHOTO_OR_URL: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": PHOTO_BODY["requestBody"]["content"] | json_body(PhotoUrl)["requestBody"]["content"],
    }
}
"""How such a body is shown in /docs."""


async def photo_of(request: Request, service: Service) -> bytes:
    """The bytes of the photo of a request: sent as `read_photo` takes it, or fetched from the `url` of a JSON body.

    Raises Problem: what `read_photo` and `read_json` raise, invalid-request, and what `fetched` raises.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return await read_photo(request, service.settings)
    try:
        asked = PhotoUrl.model_validate(await read_json(request, service.settings, PhotoUrl))
    except ValidationError as error:
        raise from_errors("invalid-request", error.errors(include_url=False), PhotoUrl) from None
    return await fetched(asked.url, service)


async def photo_from_text(text: str, service: Service) -> bytes:
    """The photo that a text in JSON is or names: base64, a data URL, or where it lies.

    Raises Problem: no-image, body-too-large, and what `fetched` raises.
    """
    if text[:8].lower().startswith(("http://", "https://")):
        return await fetched(text, service)
    return await asyncio.to_thread(photo_from_base64, text, service.settings)


async def fetched(url: str, service: Service) -> bytes:
    """The photo at a URL. What went wrong on the way is not told: it would say what the service can reach.

    Raises Problem: no-image where nothing is fetched, url-refused, photo-not-fetched, body-too-large.
    """
    if service.fetcher is None:
        detail = "Photos are not fetched from elsewhere; send the photo itself."
        raise Problem("no-image", detail, {"got": url[:80], "allowed": "the file, in base64 where the body is JSON"})
    try:
        with stage("fetch"):
            return await service.fetcher.fetch(url)
    except UrlRefused as error:
        raise Problem("url-refused", f"The photo is not fetched: {error}.", {"example": EXAMPLE}) from None
    except PhotoTooLarge:
        most = service.settings.max_bytes
        raise Problem("body-too-large", f"The photo at the URL has more than {most} bytes.") from None
    except NotFetched:
        raise Problem("photo-not-fetched", "No photo could be fetched from the URL.", {"got": url[:80]}) from None
