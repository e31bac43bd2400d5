"""The memory results in words and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.memory import PER
from benchmarks.report.table import number, table
from benchmarks.serving.machine import in_words
from duet_core.figures.style import BLUE, GREY, WIDTH, Picture, drawing, finish, title


def markdown(result: Mapping[str, Any]) -> str:
    """The section."""
    sent, good = result["requests"][-1], result["statuses"].get("200", 0)
    growth = f"{result['growth_mb']:+.2f} ± {result['growth_half_width_mb']:.2f} MB"
    rows = [
        ["memory after load", "600 MB", "300 MB", number(result["resident_mb"][-1], 0, " MB")],
        ["peak", "", "", number(result["peak_mb"], 0, " MB")],
        [f"growth per {PER:,} photos after the warm-up", "0", "0", growth],
    ]
    return (
        f"{in_words(result['machine'])}. {sent:,} photos of all formats, colour modes and sizes by {result['clients']} "
        f"clients, {good:,} of them whole, the rest refused as broken or as no photo. ± is a 95 % interval.\n\n"
        f"{table(['what', 'floor', 'goal', 'measured'], rows)}\n\n"
        "![Resident memory of the service over the photos sent](load-memory.svg)"
    )


def pictures(result: Mapping[str, Any]) -> list[Picture]:
    """Memory over photos."""
    sent, resident = result["requests"], result["resident_mb"]
    warm = result["warm_share"] * sent[-1]
    with drawing(2 * WIDTH, 2.6) as (figure, axes):
        axes.axvspan(0, warm, color=GREY, alpha=0.15, linewidth=0)
        axes.text(warm / 2, 0.04 * max(resident), "warm-up", ha="center")
        axes.plot(sent, resident, color=BLUE)
        axes.set(xlabel="photos sent", ylabel="resident memory, MB", ylim=(0, 1.1 * max(resident)), xlim=(0, sent[-1]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        title(figure, "Memory of the service under mixed photos")
        alt = f"Resident memory over {sent[-1]:,} photos: {resident[0]:.0f} MB before, {resident[-1]:.0f} MB after."
        return [finish(figure, name="load-memory", alt=alt)]
