"""Fixtures shared by the tests of training: one tiny world for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.duet_core.tiny_world import TinyWorld


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """Photos, encoder weights and language model in a folder of the session; not to be changed by a test."""
    from tests.duet_core.tiny_world import write_world  # not at the top: other tests here need no torch

    return write_world(tmp_path_factory.mktemp("world"))
