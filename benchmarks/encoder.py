"""One photo through the exported bundle against the same computation in torch with the language side not folded.

Both run on the same threads in one run; the torch side computes the template for every image, as the authors'
code does. Weights do not matter for the time, so the torch side needs no weight files but the language model's.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from duet_core.config_file import load_config
from duet_core.model.build import build_duet
from duet_core.model.language import load_tokenizer
from duet_core.runtime import Encoder, open_bundle
from duet_core.runtime.sessions import thread_count
from duet_core.sampling import SentenceBuilder

RECIPE, BUNDLE = Path("training/configs/birds.yaml"), Path("models/birds")
REPEATS = 15


def milliseconds(call: Callable[[], object]) -> float:
    """Median time of a call after two for warming up."""
    for _ in range(2):
        call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    torch.set_num_threads(thread_count())
    config = load_config(RECIPE)
    config = dataclasses.replace(config, vision=dataclasses.replace(config.vision, weights=None, pretrained=False))
    bundle = open_bundle(BUNDLE)
    encoder, size = Encoder(bundle), bundle.preprocessing.size
    model = build_duet(config, attributes=len(bundle.schema), seed=0).eval()
    tokenizer = load_tokenizer(config.language.name)
    template = SentenceBuilder(schema=bundle.schema, tokenizer=tokenizer, max_tokens=512).template()
    print(f"{thread_count()} threads, float32, {size} px, median of {REPEATS}")
    print("| batch | unfolded torch ms an image | bundle ms an image | ratio |\n|---|---|---|---|")
    for batch in (1, 8):
        pixels = np.random.default_rng(0).standard_normal((batch, 3, size, size), dtype=np.float32)
        tensor = torch.from_numpy(pixels)
        ids, mask = (part.expand(batch, -1) for part in (template.input_ids, template.attention_mask))

        def unfolded(tensor: torch.Tensor = tensor, ids: torch.Tensor = ids, mask: torch.Tensor = mask) -> object:
            images = model.image_states(model.vision.trunk(tensor))
            return model.ground(images, model.text_states(ids, mask), mask)

        def folded(pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = pixels) -> object:
            return encoder.encode_pixels(pixels)

        slow, fast = milliseconds(unfolded) / batch, milliseconds(folded) / batch
        print(f"| {batch} | {slow:.1f} | {fast:.1f} | {slow / fast:.1f} |", flush=True)


if __name__ == "__main__":
    main()
