"""The overlap and the loss against explicit loops, and the network on photos that were drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto
from PIL import Image
from safetensors.torch import save_file

from duet_core.config import VisionConfig
from duet_core.finding.export import write_finder
from duet_core.finding.fitting import finder_loss, fit_finder, overlap
from duet_core.finding.judging import mean_overlap
from duet_core.finding.network import FinderNetwork
from duet_core.finding.pairs import Pairs
from duet_core.finding.recipe import FinderRecipe
from duet_core.runtime import Preprocessing
from duet_core.runtime.finder import open_finder
from tests.steps import finished

RECIPE = FinderRecipe(side=64, photo_side=80, stages=3, frozen=0, epochs=40, batch_size=16)
MEAN = STD = (0.5, 0.5, 0.5)
COUNT = 32


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> VisionConfig:
    """A tiny encoder with weights by chance."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("encoder") / "encoder.safetensors"
    save_file(timm.create_model("test_efficientnet", pretrained=False).state_dict(), file)
    return VisionConfig(name="test_efficientnet", weights=str(file))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Red rectangles on grey noise."""
    folder, noise = tmp_path_factory.mktemp("photos"), np.random.default_rng(2)
    files, boxes = [], []
    for number in range(2 * COUNT):
        values = noise.integers(60, 130, (90, 120, 3)).astype(np.uint8)
        left, top = int(noise.integers(0, 60)), int(noise.integers(0, 45))
        right, bottom = left + int(noise.integers(30, 60)), top + int(noise.integers(25, 45))
        values[top:bottom, left:right] = (220, 30, 30)
        files.append(folder / f"{number}.png")
        Image.fromarray(values).save(files[-1])
        boxes.append((left / 120, top / 90, right / 120, bottom / 90))
    return Pairs(tuple(files), np.arange(2 * COUNT), np.array(boxes, dtype=np.float32))


BOXES = st.tuples(*[st.integers(0, 20)] * 4).map(
    lambda e: (min(e[0], e[2]), min(e[1], e[3]), max(e[0], e[2]), max(e[1], e[3]))
)


@given(st.lists(st.tuples(BOXES, BOXES), min_size=1, max_size=5))
def test_overlap_counts_cells(pairs: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """Boxes on a grid: the cells both hold over the cells either holds, counted one by one."""
    found = overlap(*(torch.tensor([pair[side] for pair in pairs], dtype=torch.float32) for side in (0, 1)))
    for value, (first, second) in zip(found.tolist(), pairs, strict=True):
        cells = [{(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (first, second)]
        either = len(cells[0] | cells[1])
        assert value == pytest.approx(len(cells[0] & cells[1]) / either if either else 0.0, abs=1e-6)


def test_the_loss_is_that_of_every_box_and_edge() -> None:
    generator = torch.Generator().manual_seed(1)
    found, wanted = (torch.rand(6, 4, generator=generator) * 0.4 + torch.tensor([0, 0, 0.5, 0.5]) for _ in range(2))
    total = 0.0
    for one, other in zip(found, wanted, strict=True):
        for edge, goal in zip(one.tolist(), other.tolist(), strict=True):
            off = abs(edge - goal)
            total += 4 * (0.5 * off**2 / 0.05 if off < 0.05 else off - 0.025) / 24
        total += (1 - float(overlap(one[None], other[None]))) / 6
    assert float(finder_loss(found, wanted)) == pytest.approx(total, rel=1e-5)


def test_the_box_of_a_moved_object_moves_with_it(config: VisionConfig) -> None:
    """By whole cells, in the middle of the photo: what a cell says does not depend on where it lies."""
    torch.manual_seed(0)
    network = FinderNetwork(config, stages=2, frozen=0).eval()
    told = network.head(network.features(torch.zeros(1, 3, 64, 64)))
    step = 64 // told.shape[-1]
    photo = torch.zeros(2, 3, 256, 256)
    photo[0, :, 96:128, 96:128] = 1.0
    photo[1, :, 96:128, 96 + step : 128 + step] = 1.0
    cells = network.head(network.features(photo))
    middle = slice(cells.shape[-1] // 4, -cells.shape[-1] // 4)
    torch.testing.assert_close(cells[0, :, middle, middle], cells[1, :, middle, middle.start + 1 : middle.stop + 1])


def test_what_is_frozen_stays_and_norms_keep_their_statistics(config: VisionConfig) -> None:
    network = FinderNetwork(config, stages=3, frozen=1).train()
    trains = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert any(name.startswith("features.2.") for name in frozen)  # stem, its norm, the first stage
    assert {name.split(".")[1] for name in trains if name.startswith("features.")} == {"3", "4"}
    before = {name: value.clone() for name, value in network.features.named_buffers()}
    network(torch.rand(4, 3, 64, 64))
    for name, value in network.features.named_buffers():
        torch.testing.assert_close(value, before[name])


def test_it_learns_to_find_what_was_drawn(config: VisionConfig, drawn: Pairs, tmp_path: Path) -> None:
    trained, held_out = drawn.among(np.arange(COUNT)), drawn.among(np.arange(COUNT, 2 * COUNT))
    lines, network = finished(fit_finder(trained, config, mean=MEAN, std=STD, recipe=RECIPE))
    assert lines[-1].startswith("finder: step 80 of 80")
    assert lines[-1].endswith("0 s left")
    write_finder(tmp_path / "finder.onnx", network, side=RECIPE.side)
    assert [file.name for file in tmp_path.iterdir()] == ["finder.onnx"]
    stored = {
        tensor.data_type for tensor in onnx.load(tmp_path / "finder.onnx").graph.initializer if len(tensor.dims) > 3
    }
    assert TensorProto.INT8 in stored
    preprocessing = Preprocessing(size=64, resize=64, mean=MEAN, std=STD)
    shared, half = mean_overlap(open_finder(tmp_path / "finder.onnx", preprocessing), held_out)
    middle = np.array([[0.25, 0.25, 0.75, 0.75]] * COUNT, dtype=np.float32)
    guess = float(overlap(torch.from_numpy(middle), torch.from_numpy(held_out.boxes)).mean())
    assert shared > guess + 0.15, (shared, guess)
    assert half > 0.7


def test_too_few_photos_are_refused(config: VisionConfig, drawn: Pairs) -> None:
    with pytest.raises(ValueError, match="15 whole photos with a known box; at least 16"):
        finished(fit_finder(drawn.among(np.arange(15)), config, mean=MEAN, std=STD, recipe=RECIPE))
