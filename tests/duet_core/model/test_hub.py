"""Encoders by name where the hub cannot be reached: told at once, with the files to fetch and where to put them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from transformers import BertConfig

from duet_core.model import hub
from duet_core.model.language import load_language_encoder, load_tokenizer
from duet_core.model.vision import load_vision_network


@pytest.fixture
def broken_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """An address that takes every connection and drops it, in place of the hub; yields a list with one entry for each.

    The cache of earlier downloads is empty.
    """
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_drop, args=(server, asked), daemon=True)
        thread.start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _drop(server: socket.socket, asked: list[str]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # the fixture has closed it
            return
        asked.append("connection")
        connection.close()


def test_vision_weights(broken_hub: list[str]) -> None:
    with pytest.raises(RuntimeError) as caught:
        load_vision_network(name="test_vit", weights=None, pretrained=True)
    assert len(broken_hub) == 1  # asked whether it answers, and never again
    assert str(caught.value).endswith(
        "put model.safetensors and config.json of timm/test_vit.r160_in1k into a folder such as "
        "weights/test_vit.r160_in1k; set vision.weights to it"
    )
    assert constants.HF_HUB_OFFLINE is False


def test_language_model_and_tokenizer(broken_hub: list[str]) -> None:
    wanted = (
        r"language\.name: 'no-owner/no-bert' is neither a local folder nor reachable; put config\.json, "
        r"model\.safetensors, tokenizer\.json and tokenizer_config\.json of it into a folder, such as weights/no-bert,"
    )
    with pytest.raises(OSError, match=wanted):
        load_language_encoder(name="no-owner/no-bert", frozen_layers=0)
    with pytest.raises(OSError, match=wanted):
        load_tokenizer("no-owner/no-bert")
    assert len(broken_hub) == 1


def test_what_timm_downloads_itself_is_not_asked_of_the_hub(broken_hub: list[str]) -> None:
    load_vision_network(name="test_vit", weights=None, pretrained=False)
    assert broken_hub == []


@pytest.mark.parametrize("name", ["./bert", "weights/bert/base", "/srv/bert", "~/bert", "../bert", "C:\\bert"])
def test_a_path_is_never_asked_of_the_hub(broken_hub: list[str], name: str) -> None:
    assert not hub.is_hub_name(name)
    with pytest.raises(OSError, match="neither a local folder nor reachable"):
        load_language_encoder(name=name, frozen_layers=0)
    assert broken_hub == []


@pytest.mark.parametrize("name", ["bert-base-uncased", "google-bert/bert-base-uncased"])
def test_names_of_the_hub(name: str) -> None:
    assert hub.is_hub_name(name)


def test_a_folder_that_lacks_a_file_is_told(broken_hub: list[str], tmp_path: Path) -> None:
    lacks = r"language\.name: .*bert' lacks a file; put config\.json, model\.safetensors"
    folder = tmp_path / "bert"
    folder.mkdir()
    with pytest.raises(OSError, match=lacks):
        load_language_encoder(name=str(folder), frozen_layers=0)
    BertConfig().save_pretrained(folder)
    with pytest.raises(OSError, match=lacks):
        load_language_encoder(name=str(folder), frozen_layers=0)
    assert broken_hub == []
