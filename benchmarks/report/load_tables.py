"""The load results as tables: ratios within one run, medians over its rounds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.table import chosen, median, number, percent, table, values
from benchmarks.serving.machine import in_words
from benchmarks.serving.photos import SIDES
from benchmarks.serving.servers import DUET

OURS = DUET.name


def best_bare(result: Mapping[str, Any], number_of_round: int) -> float:
    """Photos a second of the best bare loop in one round."""
    return max(float(entry["a_second"]) for entry in chosen(result["bare"], round=number_of_round))


def saturation(result: Mapping[str, Any], system: str = OURS) -> float:
    """Photos a second at the best number of clients over those of the best bare loop, the median of the rounds."""
    shares = []
    for turn in values(result["bare"], "round"):
        served = [float(entry["a_second"]) for entry in chosen(result["closed"], system=system, round=turn)]
        shares.append(max(served) / best_bare(result, turn))
    return statistics.median(shares)


def added_ms(result: Mapping[str, Any], system: str = OURS) -> float:
    """Median answer time of one client less that of the serial bare loop, the median of the rounds."""
    turns = values(result["bare"], "round")
    pairs = (
        (
            median(chosen(result["closed"], system=system, clients=1, round=turn), "p50_ms"),
            median(chosen(result["bare"], loop="serial", round=turn), "p50_ms"),
        )
        for turn in turns
    )
    return statistics.median((served or 0.0) - (bare or 0.0) for served, bare in pairs)


def overload(result: Mapping[str, Any], system: str = OURS, load: float = 1.5) -> float:
    """99th percentile of answer times at `load` times the capacity over the median of one client alone."""
    turns = values(result["bare"], "round")
    ratios = []
    for turn in turns:
        late = median(chosen(result["open"], system=system, load=load, round=turn), "p99_ms")
        alone = median(chosen(result["closed"], system=system, clients=1, round=turn), "p50_ms")
        if late and alone:
            ratios.append(late / alone)
    return statistics.median(ratios)


def markdown(result: Mapping[str, Any]) -> str:
    """The section."""
    others = statistics.median(entry["others"] for kind in ("bare", "closed", "open") for entry in result[kind])
    return "\n\n".join(
        [
            f"{in_words(result['machine'])}; other work used {percent(others)} of the cores meanwhile. "
            f"{result['photos']} JPEG photos made in code, longest side {SIDES[0]} to {SIDES[1]:,} px, "
            f"{result['photo_kb']:.0f} kB on average, sent as a form. "
            f"Medians of {result['rounds']} rounds; clients and server share the cores.",
            _goals(result),
            "![Photos a second by number of clients, of the service and of others, beside the best bare loop]"
            "(load-throughput.svg)",
            _bare(result),
            _clients(result),
            "![Median and 99th percentile of answer times by load, up to 1.5 times the capacity](load-latency.svg)",
            _loads(result),
            _systems(result),
        ]
    )


def _goals(result: Mapping[str, Any]) -> str:
    rows = [
        ["throughput at saturation, of the best bare loop", "80 %", "95 %", percent(saturation(result))],
        ["added to decode + `session.run`, p50, one client", "5 ms", "2 ms", number(added_ms(result), 1, " ms")],
        [
            "p99 of accepted photos at 1.5 times the capacity, over the unloaded p50",
            "4",
            "2",
            number(overload(result), 1),
        ],
    ]
    return table(["what", "floor", "goal", "measured"], rows)


def _bare(result: Mapping[str, Any]) -> str:
    rows = []
    for loop in values(result["bare"], "loop"):
        entries = chosen(result["bare"], loop=loop)
        cells = (number(median(entries, name)) for name in ("a_second", "p50_ms", "cpu_ms"))
        rows.append([f"`{loop}`", *cells])
    return table(["bare loop", "photos a second", "p50 ms", "CPU ms a photo"], rows)


def _clients(result: Mapping[str, Any]) -> str:
    ours = chosen(result["closed"], system=OURS)
    rows = []
    for clients in values(ours, "clients"):
        entries = chosen(ours, clients=clients)
        shares = [{"share": entry["a_second"] / best_bare(result, entry["round"])} for entry in entries]
        cells = [str(clients), number(median(entries, "a_second")), percent(median(shares, "share"))]
        names = ("p50_ms", "p99_ms", "server_cpu_ms", "client_cpu_ms")
        rows.append([*cells, *(number(median(entries, name)) for name in names)])
    heads = ["clients", "photos a second", "of the best bare loop", "p50 ms", "p99 ms"]
    return table([*heads, "server's CPU ms a photo", "clients' CPU ms a photo"], rows)


def _loads(result: Mapping[str, Any]) -> str:
    ours = chosen(result["open"], system=OURS)
    rows = [[number(load, 1), *_overloaded(chosen(ours, load=load))] for load in values(ours, "load")]
    return table(["load", *_OVERLOADED], rows)


def _systems(result: Mapping[str, Any]) -> str:
    rows, many = [], max(values(result["closed"], "clients"))
    for system in sorted(values(result["closed"], "system"), key=lambda name: name != OURS):
        closed, late = chosen(result["closed"], system=system), chosen(result["open"], system=system, load=1.5)
        cells = [system, percent(saturation(result, system)), number(added_ms(result, system))]
        cells.append(number(median(chosen(closed, clients=many), "p99_ms"), 0))
        rows.append([*cells, *_overloaded(late)[1:]])
    heads = ["served by", "of the best bare loop", "added p50 ms, one client", f"p99 ms, {many} clients"]
    return table([*heads, *(f"at 1.5: {name}" for name in _OVERLOADED[1:])], rows)


_OVERLOADED = ("sent a second", "answered", "p50 ms", "p99 ms", "refused", "of them with Retry-After", "lost")


def _overloaded(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cells of `_OVERLOADED`: rates and times as medians, counts as shares of all that was sent."""
    sent = sum(entry["sent"] for entry in entries)
    statuses = [entry["statuses"] for entry in entries]
    refused = sum(count for found in statuses for code, count in found.items() if code in ("429", "503"))
    lost = sum(found.get("0", 0) for found in statuses) + sum(entry["unanswered"] for entry in entries)
    told = sum(entry["with_retry_after"] for entry in entries)
    return [
        number(median(entries, "rate"), 0),
        percent(sum(entry["answered"] for entry in entries) / max(1, sent)),
        number(median(entries, "p50_ms"), 0),
        number(median(entries, "p99_ms"), 0),
        percent(refused / max(1, sent)),
        percent(min(1.0, told / refused)) if refused else "–",
        str(lost),
    ]
