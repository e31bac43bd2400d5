"""Names that stand for files on the hub: told from folders, fetched or read from the cache, or refused at once."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from huggingface_hub import constants, get_session

_LOGGER = logging.getLogger(__name__)
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_SECONDS = 5.0


def is_hub_name(name: str) -> bool:
    """Whether `name` may stand on the hub: ``bert-base-uncased`` or ``google-bert/bert-base-uncased``, but no path."""
    return _NAME.fullmatch(name) is not None


@contextmanager
def hub_or_cache() -> Iterator[None]:
    """Inside, timm and transformers read their cache alone where the hub does not answer.

    Left to themselves they ask for each file six times, about 23 s a file, before they say so.
    """
    was_offline = constants.HF_HUB_OFFLINE
    if not was_offline and not _answers(constants.ENDPOINT):
        _LOGGER.warning("the hub does not answer; names are looked for in the cache of earlier downloads alone")
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was_offline


@cache
def _answers(endpoint: str) -> bool:
    """Whether anything answers there, through the proxies and certificates that downloads use; asked once a process."""
    try:
        get_session().head(endpoint, timeout=_SECONDS)
    except Exception:  # of requests or of httpx, by the version of huggingface_hub
        return False
    return True
