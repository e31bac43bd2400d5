"""What the paper's recipes cost: the arithmetic of a step and of a run, counted at real size without weights or photos.

Modules lie on torch's meta device, so nothing is computed or downloaded. A step of stage CSG shows each anchor and its
five partners, each beside a sentence; a step of stage CLS each anchor and a positive, beside one template. Training is
counted as three times the forward pass. Sentences are taken at the recipe's longest, so these are upper bounds; hours
follow from a rate that is assumed (`--tflops`), not measured.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel

from duet_core.benchmarks.official import AWA2, CUB, SUN
from duet_core.config import TrainConfig
from duet_core.config_file import load_config
from duet_core.judging.tables import table
from duet_core.model.build import build_cross_modal, build_vision
from duet_core.step_plan import PARTNERS

RECIPES = {"cub": CUB, "sun": SUN, "awa2": AWA2, "awa2_kg": AWA2}
FORWARD_AND_BACKWARD = 3
ASSUMED_TFLOPS = 200.0
"""A quarter of the dense bfloat16 rate of a Hopper GPU."""


def image_flops(config: TrainConfig) -> int:
    """Floating point operations of ENC_vis for one image of the recipe's size."""
    side = config.data.image_size
    with torch.device("meta"):
        vision = build_vision(replace(config.vision, pretrained=False, weights=None))
        with FlopCounterMode(display=False) as counter:
            vision(torch.zeros(1, 3, side, side))
    return int(counter.get_total_flops())


def sentence_flops(config: TrainConfig) -> int:
    """Those of ENC_lan (BERT-base) for one sentence of `max_tokens`."""
    tokens = config.language.max_tokens
    with torch.device("meta"):
        bert = BertModel(BertConfig(), add_pooling_layer=False)
        with FlopCounterMode(display=False) as counter:
            bert(input_ids=torch.zeros(1, tokens, dtype=torch.long))
    return int(counter.get_total_flops())


def pair_flops(config: TrainConfig) -> int:
    """Those of ENC_cro for one image beside one sentence of `max_tokens`."""
    tokens, width = config.language.max_tokens, config.cross_modal.width
    with torch.device("meta"):
        cross_modal = build_cross_modal(config.cross_modal)
        with FlopCounterMode(display=False) as counter:
            cross_modal(torch.zeros(1, 1, width), torch.zeros(1, tokens, width), torch.ones(1, tokens).bool())
    return int(counter.get_total_flops())


def row(name: str, tflops: float) -> list[str | float]:
    """One recipe's cost for the test split of one seed."""
    config = load_config(Path("training/configs") / f"{name}.yaml")
    batch, rho = config.optimizer.batch_size, config.sampling.rho
    image, sentence, pair = image_flops(config), sentence_flops(config), pair_flops(config)
    csg = FORWARD_AND_BACKWARD * batch * (1 + PARTNERS) * (image + sentence + pair) / 1e12
    cls = FORWARD_AND_BACKWARD * (2 * batch * image + sentence) / 1e12
    steps = config.optimizer.epochs * -(-RECIPES[name].trainval // batch)
    total = steps * (rho * csg + (1 - rho) * cls)
    return [name, image / 1e9, sentence / 1e9, csg, cls, f"{steps:,}", total / 1e3, total / tflops / 3600]


def main() -> None:
    """Print a row for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tflops", type=float, default=ASSUMED_TFLOPS, help="assumed rate of training in TFLOP/s")
    tflops = parser.parse_args().tflops
    head = ["recipe", "GFLOP an image", "a sentence", "TFLOP a CSG step", "a CLS step", "steps", "PFLOP a run"]
    print(table([*head, f"hours at {tflops:g} TFLOP/s"], [row(name, tflops) for name in RECIPES], digits=1))


if __name__ == "__main__":
    main()
