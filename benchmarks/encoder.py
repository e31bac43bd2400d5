"""One photo through the folded model against the same computation in torch with the language side not folded.

``python -m benchmarks.encoder`` measures the demo bundle and the paper's encoders in full size (DeiT-base, BERT-base,
random weights, the attributes of the demo bundle, exported by the code of `duet export`); both sides on the same
threads, one call after the other in every round, so that what else runs on the machine slows all alike. Ratios are told
of processor time too, which waiting does not enter. The torch side computes the template for every image, as the
authors' code does. Writes a JSON file, and a picture where asked.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._machine import in_turn, machine
from benchmarks._models import Contender, birds, paper
from benchmarks.serving import results
from duet_core.figures.style import BLUE, GREEN, ORANGE, Picture, drawing, finish, plain_list, title
from duet_core.runtime import open_bundle
from duet_core.runtime.sessions import thread_count

BUNDLE = Path("models/birds")
_COLOURS = {"torch, not folded": ORANGE, "folded, float32": BLUE, "folded, int8": GREEN}


def measure(contender: Contender, *, batch: int, rounds: int, threads: int) -> list[dict[str, Any]]:
    """A row for each way to compute v: milliseconds an image, and ratios to the unfolded torch model."""
    generator = np.random.default_rng(0)
    pixels = generator.standard_normal((batch, 3, contender.size, contender.size), dtype=np.float32)
    timings = in_turn(contender.calls(pixels, threads), rounds=rounds)
    slow = timings["torch, not folded"]
    return [
        {
            "model": contender.name,
            "way": way,
            "batch": batch,
            "ms_an_image": timing.median / batch,
            "least_ms_an_image": timing.least / batch,
            "processor_ms_an_image": timing.processor / batch,
            "ratio": slow.processor / timing.processor,
            "ratio_of_median": slow.median / timing.median,
            "ratio_of_least": slow.least / timing.least,
        }
        for way, timing in timings.items()
    ]


def difference(contender: Contender) -> dict[str, float]:
    """Largest |Δv| of each file to torch, over the largest |v|, on two random images."""
    pixels = np.random.default_rng(1).standard_normal((2, 3, contender.size, contender.size), dtype=np.float32)
    calls: dict[str, Any] = contender.calls(pixels, 1)
    expected = calls.pop("torch, not folded")().numpy()
    return {way: float(np.abs(call()[0] - expected).max() / np.abs(expected).max()) for way, call in calls.items()}


def picture(rows: Sequence[dict[str, Any]]) -> Picture:
    """Bars of milliseconds an image at batch 1, a group for each model."""
    shown = [row for row in rows if row["batch"] == 1]
    labels = [f"{row['model']}: {row['way']}" for row in shown]
    times = [row["processor_ms_an_image"] for row in shown]
    alt = "Milliseconds of processor time an image at batch 1. " + "; ".join(
        f"{label} {value:.0f} ms" for label, value in zip(labels, times, strict=True)
    )
    with drawing(8.8, 0.5 + 0.36 * len(shown)) as (figure, axes):
        bars = axes.barh(labels, times, color=[_COLOURS[row["way"]] for row in shown], height=0.62)
        axes.bar_label(
            bars, [f"{row['processor_ms_an_image']:.0f} ms, {row['ratio']:.1f}×" for row in shown], padding=4
        )
        axes.margins(x=0.18)
        axes.set_xlabel("milliseconds of processor time an image, batch 1")
        plain_list(axes)
        title(figure, "A photo through the encoder")
        return finish(figure, name="encoder-times", alt=alt)


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    kinds = (
        ("processor_ms_an_image", "ratio"),
        ("ms_an_image", "ratio_of_median"),
        ("least_ms_an_image", "ratio_of_least"),
    )
    figures = " | ".join(f"{row[time]:.1f} | {row[ratio]:.1f}" for time, ratio in kinds)
    return f"| {row['model']} | {row['way']} | {row['batch']} | {figures} |"


@torch.inference_mode()
def main() -> None:
    """Print the table and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("birds", "paper"), action="append", help="default: both")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, default=thread_count())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--int8", type=Path, help="the demo bundle in int8, from `duet quantise`; a row more")
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of encoder.json")
    parser.add_argument("--svg", type=Path, help="write the picture here")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    bundle, rows, differences = open_bundle(BUNDLE), list[dict[str, Any]](), dict[str, dict[str, float]]()
    print(f"{machine(asked.threads)}; medians of {asked.rounds} rounds", flush=True)
    names = ["model", "way", "batch", "processor ms an image", "ratio", "wall ms an image", "ratio", "least", "ratio"]
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|", flush=True)
    for name in asked.model or ("birds", "paper"):
        with tempfile.TemporaryDirectory() as folder:
            contender = birds(bundle, asked.int8) if name == "birds" else paper(bundle, Path(folder))
            differences[contender.name] = difference(contender)
            for batch in asked.batch:
                for row in measure(contender, batch=batch, rounds=asked.rounds, threads=asked.threads):
                    rows.append(row)
                    print(line(row), flush=True)
    print("largest |Δv| to torch over the largest |v| (birds: torch has random weights, so no figure)")
    for model, found in differences.items():
        if model != "birds":
            print(f"  {model}: " + ", ".join(f"{way} {value:.1e}" for way, value in found.items()))
    results.save("encoder", {"machine": machine(asked.threads), "rounds": asked.rounds, "rows": rows}, asked.out)
    if asked.svg:
        asked.svg.write_text(picture(rows).svg, encoding="utf-8")


if __name__ == "__main__":
    main()
