"""`duet quantise`: a bundle in int8 for CPUs, offered only when it loses little, or in float16 for GPUs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from duet_core.benchmarks import Benchmark
from duet_core.benchmarks.opening import open_folder


def run(
    bundle: Path,
    *,
    out: Path | None = None,
    to: Literal["int8", "fp16"] = "int8",
    photos: Path | None = None,
    stand_in: Path | None = None,
    most_lost: float = 0.5,
    calibration: int = 128,
    test: bool = False,
) -> Iterator[str]:
    """Write a bundle whose vision.onnx computes in int8 or float16; inputs and outputs stay as they were.

    int8 is judged first, on the benchmark's validation photos, and nothing is written when it loses more of H than
    allowed. Transformers get their matrix products in int8, convolutional networks all nodes but those that hurt most.
    float16 is compared with the golden picture only.

    Args:
        bundle: the bundle in float32; it stays as it is.
        out: folder of the new bundle; default <bundle>-int8 or <bundle>-fp16, replaced when it is a bundle.
        to: int8 or fp16.
        photos: folder of the benchmark the bundle was trained on; needed for int8.
        stand_in: a bundle of the same recipe's validation run, judged in place of one that was trained on the
            validation photos.
        most_lost: points of H that int8 may lose.
        calibration: training photos that the scales of activations are taken from.
        test: judge the test photos too, once, after everything is decided and written.

    Raises GateError when int8 loses more than allowed, ValueError for photos or a stand-in that cannot judge,
    BundleError when float16 is too far off the golden picture.
    """
    from duet_core.quantisation.float16 import write_float16
    from duet_core.quantisation.int8 import quantise_int8
    from duet_core.quantisation.writing import write_bundle
    from duet_core.runtime import open_bundle

    opened = open_bundle(bundle)
    if opened.precision != "float32":
        raise ValueError(f"{bundle} computes in {opened.precision}; give the float32 bundle that it was made from")
    target = out or bundle.with_name(f"{bundle.name}-{to}")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if to == "fp16":
            write_float16(bundle / "vision.onnx", scratch / "fp16.onnx")
            difference = write_bundle(opened, scratch / "fp16.onnx", target, precision="float16", record={})
        else:
            benchmark = _benchmark(photos)
            judge = None if stand_in is None else open_bundle(stand_in)
            made = yield from quantise_int8(
                opened, judge, benchmark, most=most_lost, calibration=calibration, scratch=scratch
            )
            difference = write_bundle(opened, made.file, target, precision="int8", record=made.record)
    sizes = [(part / "vision.onnx").stat().st_size / 1e6 for part in (bundle, target)]
    yield f"{target}: vision.onnx {sizes[1]:.1f} MB instead of {sizes[0]:.1f}, max |Δv| on golden.png {difference:.2e}"
    if test:
        yield from _judge_test(bundle, target, photos)


def _judge_test(bundle: Path, target: Path, photos: Path | None) -> Iterator[str]:
    """The table of the written bundle on the test photos; nothing is chosen by it."""
    from duet_core.judging.held_out import check_split
    from duet_core.quantisation.gate import TABLE_HEAD, compare, float32_row, judge_all, table_row
    from duet_core.runtime import open_bundle

    benchmark = _benchmark(photos)
    before, after = open_bundle(bundle), open_bundle(target)
    split = benchmark.test_split()
    check_split(before, split)
    held_out = yield from judge_all({"before": before, "after": after}, benchmark, split)
    loss = compare(held_out["before"], held_out["after"])
    yield f"\n{after.model_id}, {loss.photos} test photos, judged once"
    yield "\n".join([TABLE_HEAD, float32_row(loss.before), table_row(after.precision, loss)])


def _benchmark(photos: Path | None) -> Benchmark:
    if photos is None:
        raise ValueError(
            "--photos: nothing was given; int8 needs the benchmark's folder, such as ../shared/data/CUB127"
        )
    return open_folder(photos)
