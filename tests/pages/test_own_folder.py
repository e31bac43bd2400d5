"""docs/own-folder.md from drawn photos to a served bundle: every command of it is run, in its order, and must work.

The page's encoder, whose weights are no part of the repository, is replaced by a tiny one with random weights that is
trained from scratch; everything else of the recipe that `duet benchmark init` writes stays.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

from tests.duet_core.tiny_world import spread_batch_norms, write_language_model
from tests.pages.blocks import ROOT, blocks
from tests.pages.reader import wait_until_ready
from tests.redis_process import free_port

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/own-folder.md").read_text(encoding="utf-8")
WORDS = "color shape corners red green blue yellow circle square triangle none three four : | ,"
CLASSES = 12
UNSEEN = 3
TINY = {
    "data": {"image_size": 48, "photo_side": 64, "crop_scale": [0.5, 1.0]},
    "vision": {"name": "test_efficientnet", "weights": "encoder.safetensors", "frozen_stages": 0},
    "language": {"name": "language", "frozen_layers": 2},
    "cross_modal": {"width": 32, "heads": 2, "feed_forward": 64},
    "optimizer": {"epochs": 50, "lr_vision": 3e-3, "lr_language": 3e-3, "lr_cross_modal": 1e-3, "lr_new": 1e-2},
}
"""What a model of this size needs instead of the recipe's own; chosen on validation classes."""


@dataclass
class Walk:
    """The page's blocks run one after the other in one folder; what each printed stays."""

    folder: Path
    port: int
    printed: dict[str, str] = field(default_factory=dict)
    server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """As in an activated environment, with the `duet` of this checkout."""
        own = self.folder / "bin"
        own.mkdir(exist_ok=True)
        command = own / "duet"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m duet_core.cli "$@"\n')
        command.chmod(0o755)
        store = f"sqlite:///{self.folder / 'classes.sqlite'}"
        path = f"{own}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DUET_STORE": store}

    def run(self, script: str) -> None:
        """Run a block; keep what each of its commands is called by and printed."""
        script = script.replace("localhost:8000", f"localhost:{self.port}")
        if script.startswith("duet serve"):
            self._serve(script)
            return
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        for called in re.findall(r"^duet ((?:benchmark |classes )?\w+)", script, re.MULTILINE):
            self.printed[called] = done.stdout

    def _serve(self, script: str) -> None:
        words = [*script.removesuffix("&").split()[1:], "--port", str(self.port)]
        log = self.folder / "serve.log"
        with log.open("w") as out:
            command = [sys.executable, "-m", "duet_core.cli", *words]
            self.server = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=out, stderr=out)
        wait_until_ready(f"http://localhost:{self.port}/readyz", self.server, log)


def shrink(folder: Path) -> None:
    """Put the tiny encoders in place of the recipe's own."""
    write_language_model(folder / "language", WORDS)
    torch.manual_seed(5)
    network = timm.create_model("test_efficientnet", pretrained=False, num_classes=0)
    spread_batch_norms(network)
    save_file(network.state_dict(), folder / "encoder.safetensors")
    recipe = folder / "shapes" / "shapes.yaml"
    plain = yaml.safe_load(recipe.read_text())
    for section, fields in TINY.items():
        plain[section] |= fields
    recipe.write_text(yaml.safe_dump(plain))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The whole page, run once."""
    walk = Walk(tmp_path_factory.mktemp("walk"), free_port())
    try:
        for block in blocks(PAGE):
            assert not block.reason
            if block.script.startswith("duet train"):
                shrink(walk.folder)
            walk.run(block.script)
        yield walk
    finally:
        if walk.server is not None:
            walk.server.terminate()
            walk.server.wait(timeout=20)


def test_every_command_of_the_page_was_run(walk: Walk) -> None:
    named = set(re.findall(r"^duet ((?:benchmark |classes )?[a-z]+)", PAGE, re.MULTILINE))
    assert named == {*walk.printed, "serve"}
    assert walk.printed["benchmark check"].rstrip().endswith("can be trained on")
    assert "unseen: red square, green circle, blue triangle" in walk.printed["benchmark split"]


def test_unseen_classes_are_recognised_better_than_by_chance(walk: Walk) -> None:
    """120 photos of 3 classes: guessing gives 33 % among them and 8 % among all twelve."""
    (line,) = [line for line in walk.printed["train"].splitlines() if line.startswith("duet test seed 0")]
    figures = {name: float(value) / 100 for name, value in re.findall(r"(T1|U|S|H) ([\d.]+)", line)}
    assert figures["T1"] > 1.8 / UNSEEN
    assert figures["U"] > 4 / CLASSES
    assert figures["S"] > 3 / CLASSES


def test_the_service_knows_the_unseen_classes_once_told(walk: Walk) -> None:
    told = (walk.folder / "unseen.jsonl").read_text()
    assert [line.split('"')[3] for line in told.splitlines()] == ["red-square", "green-circle", "blue-triangle"]
    assert "stored 3 classes" in walk.printed["classes import"]
    assert re.search(r"\d\. red square .* unseen, red-square", walk.printed["classify"]), walk.printed["classify"]
