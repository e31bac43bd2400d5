"""Constant classify requests on a service while its model is swapped, and what became of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.tiny_bundle import picture_bytes

PHOTOS = {colour: picture_bytes(colour) for colour in ("red", "blue", "lime")}

Answer = dict[str, Any]


def classify(client: httpx.Client, colour: str, space: str = "default") -> Answer:
    """The whole answer to a photo but its image_id, which no two answers share. Raises HTTPError when there is none."""
    answer = client.post("/classify", params={"space": space, "top_k": 50}, files={"image": PHOTOS[colour]})
    told: Answer = answer.raise_for_status().json()
    del told["image_id"]
    return told


def answers_of(client: httpx.Client) -> dict[str, Answer]:
    """What the model that serves now answers to every photo."""
    return {colour: classify(client, colour) for colour in PHOTOS}


@dataclass
class Load:
    """What was answered, and what was not."""

    answers: list[tuple[str, Answer]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def models(self) -> Counter[str]:
        """Answers by model."""
        return Counter(answer["model"]["id"] for _, answer in self.answers)

    def strange(self, known: dict[str, dict[str, Answer]]) -> list[Answer]:
        """Answers that are not, number by number, what the model they name answers when it is alone."""
        return [answer for colour, answer in self.answers if answer != known[answer["model"]["id"]][colour]]


@contextmanager
def constant_load(url: str, clients: int = 4) -> Iterator[Load]:
    """Clients that send one photo after the other for as long as the context lasts, which begins with an answer."""
    load, ended = Load(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not ended.is_set():
                for colour in PHOTOS:
                    try:
                        load.answers.append((colour, classify(client, colour)))
                    except httpx.HTTPError as error:
                        load.failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        while not load.answers and not load.failures:
            time.sleep(0.02)
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join()
