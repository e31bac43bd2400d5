"""The load results as pictures: throughput by clients, answer times by load."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.report.load_tables import OURS, best_bare
from benchmarks.report.table import chosen, median, values
from duet_core.figures.style import CYCLE, INK, MARKERS, WIDTH, Picture, drawing, finish, title


def pictures(result: Mapping[str, Any]) -> list[Picture]:
    """Both."""
    return [_throughput(result), _latency(result)]


def _systems(result: Mapping[str, Any]) -> list[str]:
    return sorted(values(result["closed"], "system"), key=lambda name: name != OURS)


def _throughput(result: Mapping[str, Any]) -> Picture:
    bare = statistics.median(best_bare(result, turn) for turn in values(result["bare"], "round"))
    told = [f"best bare loop {bare:.0f}"]
    with drawing(2 * WIDTH, 3.2) as (figure, axes):
        axes.axhline(bare, color=INK, linestyle="--", linewidth=1.2, label="best bare loop, no HTTP")
        for system, colour, marker in zip(_systems(result), CYCLE, MARKERS, strict=False):
            entries = chosen(result["closed"], system=system)
            clients = sorted(values(entries, "clients"))
            rates = [median(chosen(entries, clients=count), "a_second") or 0.0 for count in clients]
            axes.plot(clients, rates, marker=marker, markersize=5, color=colour, label=system)
            told.append(f"{system} at most {max(rates):.0f}")
        axes.set_xscale("log", base=2)
        counts = sorted(values(result["closed"], "clients"))
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set(xlabel="clients, each with one photo under way", ylabel="photos a second", ylim=(0, None))
        title(figure, "Throughput by number of clients")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return finish(figure, name="load-throughput", alt=f"Photos a second by number of clients: {'; '.join(told)}.")


def _latency(result: Mapping[str, Any]) -> Picture:
    told = []
    with drawing(2 * WIDTH, 3.2) as (figure, axes):
        for system, colour, marker in zip(_systems(result), CYCLE, MARKERS, strict=False):
            entries = chosen(result["open"], system=system)
            for name, style in (("p50_ms", "-"), ("p99_ms", ":")):
                found = ((load, median(chosen(entries, load=load), name)) for load in sorted(values(entries, "load")))
                points = [(load, value) for load, value in found if value]
                if points:
                    label = f"{system}, {'median' if name == 'p50_ms' else '99th percentile'}"
                    axes.plot(*zip(*points, strict=True), style, marker=marker, markersize=5, color=colour, label=label)
                    told.append(f"{label} {points[-1][1]:.0f} ms at {points[-1][0]:g}")
        axes.set_yscale("log")
        axes.set(xlabel="photos sent a second, over what the system can do", ylabel="answer time, ms")
        title(figure, "Answer times by load, photos coming at random")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return finish(figure, name="load-latency", alt=f"Answer times by load: {'; '.join(told)}.")
