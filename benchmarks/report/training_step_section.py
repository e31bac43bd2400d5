"""The training step results as tables, one pair for each device they were measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.table import number, percent, table

ENCODERS = {"paper": "DeiT-base, BERT-base", "small": "MobileNetV2, MiniLM"}
HEADS = (
    *("encoders", "way", "anchors", "images/s", "ratio", "by processor time", "CSG s", "CLS s"),
    *("TFLOP an image", "of matrix rate", "step MB"),
)
GOALS = {"cpu": ("1.5", "3"), "cuda": ("4", "10")}
"""Images a second over the loop's with the paper's encoders, by device: floor and goal."""
RATE_GOALS = ("25 %", "45 %")
"""Share of a GPU's measured matrix rate in bfloat16: floor and goal."""


def run_table(encoders: Mapping[str, list[dict[str, Any]]]) -> str:
    """A line for each way."""
    return table(HEADS, [_cells(name, row) for name, rows in encoders.items() for row in rows])


def markdown(result: Mapping[str, Any]) -> str:
    """The section."""
    return "\n\n".join(_of_device(device, run) for device, run in result.items())


def _cells(encoders: str, row: Mapping[str, Any]) -> list[str]:
    return [
        ENCODERS[encoders],
        row["way"],
        str(row["batch"]),
        number(row["images_per_second"], 3),
        number(row["ratio"], 2),
        number(row["processor_ratio"], 2),
        number(row["csg_seconds"], 2),
        number(row["cls_seconds"], 2),
        number(row["tflop_an_image"], 3),
        percent(row["share_of_matrix_rate"]),
        number(row["step_mb"], 0),
    ]


def _of_device(device: str, run: Mapping[str, Any]) -> str:
    rounds = run["rounds"]
    told = (
        f"{run['machine']}; {'bfloat16' if run['bf16'] else 'float32'}, "
        f"{f'medians of {rounds} rounds' if rounds > 1 else 'one round'}; one large product of matrices runs at "
        f"{number(run['matrix_tflops'], 2)} TFLOP/s. Other processes took {percent(run['others'])} of the processor "
        "cores meanwhile."
    )
    less = ", ".join(
        f"{number(rows[0]['tflop_an_image'] / rows[1]['tflop_an_image'], 2)} times ({ENCODERS[name]})"
        for name, rows in run["encoders"].items()
    )
    arithmetic = f"The loop does {less} the arithmetic of one forward pass."
    return "\n\n".join([told, run_table(run["encoders"]), arithmetic, *_goals(device, run)])


def _goals(device: str, run: Mapping[str, Any]) -> list[str]:
    """The floors and goals are of the paper's encoders; nothing where these were not measured."""
    if "paper" not in run["encoders"]:
        return []
    ours = run["encoders"]["paper"][1]
    ratio = number(ours["ratio"], 2)
    if device == "cpu":
        ratio += f"; {number(ours['processor_ratio'], 2)} by processor time"
    rows = [["images a second over the loop's", *GOALS[device], ratio]]
    if device == "cuda":
        rows.append(["share of the matrix rate", *RATE_GOALS, percent(ours["share_of_matrix_rate"])])
    return [table([f"{ENCODERS['paper']}: what", "floor", "goal", "measured"], rows)]
