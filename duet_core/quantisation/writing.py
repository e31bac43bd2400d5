"""A quantised bundle: the folder of the float32 one with another vision.onnx, proved by opening it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from duet_core.runtime import Bundle, BundleError, Encoder, load_rgb, open_bundle
from duet_core.runtime.bundle import LEAST_PRECISE, Precision, renew_files
from duet_core.runtime.sessions import open_session

_SLACK = 0.02
"""Share of the largest |v| that machines may differ by in int8: one step of one scale rounded the other way."""


def with_network(bundle: Bundle, vision: Path) -> Bundle:
    """The bundle with another network in place of its own, for judging; nothing is written."""
    return dataclasses.replace(bundle, vision=open_session(vision, bundle.execution))


def write_bundle(bundle: Bundle, vision: Path, out: Path, *, precision: Precision, record: dict[str, Any]) -> float:
    """Write `bundle` with the network `vision` into `out`, replacing a bundle there; returns max |Δv| on golden.png.

    float16 is compared with the float32 model's golden v, within `LEAST_PRECISE` of its largest |v|. int8 gets its own
    v as the golden one, since a difference to float32 says nothing of a wrong copy: what it lost is in `record`.

    Raises BundleError when the bundle written does not open, or float16 is further off than allowed.
    """
    v, state = _golden(with_network(bundle, vision))
    with np.load(bundle.folder / "golden.npz", allow_pickle=False) as golden:
        expected, pixels = golden["v"].reshape(-1), golden["pixels_sha256"]
    difference, largest = float(np.abs(v - expected).max()), float(np.abs(expected).max())
    tolerance = LEAST_PRECISE * largest if precision == "float16" else max(_SLACK * largest, 1e-3)
    if precision == "float16" and not difference <= tolerance:
        raise BundleError(
            f"{vision.name}: float16 is off by {difference:.2e} on golden.png, at most {tolerance:.2e} is allowed "
            f"({LEAST_PRECISE:.0%} of the largest |v|); this network needs float32"
        )
    with _replacing(out) as folder:
        for file in bundle.folder.iterdir():
            if file.is_file():
                shutil.copyfile(file, folder / file.name)
        shutil.copyfile(vision, folder / "vision.onnx")
        if precision == "int8":
            np.savez(folder / "golden.npz", pixels_sha256=pixels, v=v, state=state)
        _add_to_card(folder / "README.md", precision, record)
        renew_files(
            folder,
            ["vision.onnx", "golden.npz"],
            model_id=f"{bundle.model_id}-{precision}",
            precision=precision,
            golden_tolerance=tolerance,
            quantisation=record | {"max_abs_difference_v": difference},
        )
        open_bundle(folder)
    return difference


def _golden(bundle: Bundle) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """v (A,) and state (D,) of the golden picture."""
    encoded = Encoder(bundle).encode([load_rgb(bundle.folder / "golden.png")])
    return encoded.v[0], encoded.state[0]


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place when all went well; else `out` stays as it was."""
    if out.exists() and not (out / "manifest.json").is_file():
        raise BundleError(f"{out} exists and is no bundle; give the folder of a bundle, or a new one like models/birds")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    replaced = folder.with_name(f"{folder.name}.replaced")
    try:
        folder.chmod(0o755)
        yield folder
        if out.exists():
            out.rename(replaced)
        folder.rename(out)
    finally:
        for leftover in (folder, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


def _add_to_card(card: Path, precision: str, record: dict[str, Any]) -> None:
    """Say in the model card, where there is one, what was done to the network."""
    if card.is_file():
        said = json.dumps(record, indent=1, ensure_ascii=False)
        text = f"\n## Quantisation\n\n`vision.onnx` computes in {precision}; figures above are of float32.\n\n"
        card.write_text(f"{card.read_text(encoding='utf-8')}{text}```json\n{said}\n```\n", encoding="utf-8")
