"""`duet stats`: how often the attributes of a benchmark's classes occur, and which occur together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duet_core.statistics import AttributeStatistics, Pair


def run(
    data: Path, *, pair: Sequence[str] = (), count: int = 10, least: int = 10, out: Path | None = None
) -> Iterator[str]:
    """Print Eqs. 27 and 28 of a benchmark: frequencies, pairs of attributes, prompt sets; no photos are needed.

    A class has an attribute when its degree is above the mean of all degrees. R(a ← b) is the number of classes with
    both over that of classes with b alone; "lift" is the share with a among classes with b, over its share among all.

    Args:
        data: folder of the benchmark: the official layout (att_splits.mat and attribute names are enough) or your own.
        pair: also this pair, a ← b, as "leaves,flowers" or "wing color: blue, back color: blue"; may be given again.
        count: attributes and pairs to a table.
        least: pairs are ranked only of attributes that so many classes have.
        out: also write stats.json and the two pictures of Figure 7 into this folder.

    Raises BenchmarkError for files that are missing or wrong, StatisticsError for an attribute that there is not.
    """
    from duet_core.benchmarks.class_table import read_class_table
    from duet_core.statistics import AttributeStatistics, StatisticsError

    if count < 1 or least < 1:
        raise StatisticsError(f"got count {count} and least {least}; allowed is at least 1 of both")
    schema, classes = read_class_table(data)
    statistics = AttributeStatistics(classes.present, schema)
    asked = [statistics.pair(*_split(one)) for one in pair]
    mean = float(statistics.counts.mean())
    yield (
        f"{data.name}: {len(classes.names)} classes, {len(schema)} attributes in {len(schema.prompts)} prompt sets; "
        f"a class has {float(classes.present.sum(axis=1).mean()):.1f} attributes, an attribute {mean:.1f} classes"
    )
    yield from _tables(statistics, asked, count, least)
    if out is not None:
        yield from _write(statistics, asked, data.name, count, least, out)


def _split(pair: str) -> tuple[str, str]:
    """The two attributes of "leaves,flowers"."""
    from duet_core.statistics import StatisticsError

    first, comma, given = pair.partition(",")
    if not comma or not given.strip():
        raise StatisticsError(f"got {pair!r}; allowed are two attributes with a comma between, such as leaves,flowers")
    return first.strip(), given.strip()


def _tables(statistics: AttributeStatistics, asked: Sequence[Pair], count: int, least: int) -> Iterator[str]:
    from duet_core.judging.tables import table

    for name, rows in zip(("most", "least"), statistics.extremes(count), strict=True):
        lines = [
            (statistics.schema.keys[row], int(statistics.counts[row]), 100 * float(statistics.frequency[row]))
            for row in rows
        ]
        yield f"\nThe {name} frequent attributes (Eq. 27)\n" + table(
            ("attribute", "classes", "Freq, %"), lines, digits=2
        )
    for name, pairs in (
        ("Pairs asked for", asked),
        ("Pairs with the highest R", statistics.highest_pairs(count, least)),
        ("Pairs with the lowest R; of equal ones, those likeliest by chance", statistics.lowest_pairs(count, least)),
        ("Pairs furthest beyond chance", statistics.closest_pairs(count, least)),
    ):
        if pairs:
            yield f"\n{name} (Eq. 28)\n" + _pair_table(pairs)
    head = ("prompt set", "attributes", "a class has", "classes with none, %", "commonest", "%", "rarest", "%")
    sets = [
        (one.prompt, one.attributes, one.mean_present, 100 * one.classes_without, one.commonest,
         100 * one.commonest_frequency, one.rarest, 100 * one.rarest_frequency)
        for one in statistics.prompts()
    ]  # fmt: skip
    yield "\nPrompt sets\n" + table(head, sets, digits=1)


def _pair_table(pairs: Sequence[Pair]) -> str:
    from duet_core.judging.tables import table

    rows = [(f"{one.first} ← {one.given}", one.together, one.alone, one.ratio_text, one.lift) for one in pairs]
    return table(("a ← b", "both", "b alone", "R", "lift"), rows, digits=2)


def _write(
    statistics: AttributeStatistics, asked: Sequence[Pair], name: str, count: int, least: int, out: Path
) -> Iterator[str]:
    """Figure 7 in two pictures, its pairs those asked for, else those furthest beyond chance; and all numbers."""
    from duet_core.figures.statistics_picture import frequency_picture, pairs_picture

    shown = asked or statistics.closest_pairs(count, least)
    out.mkdir(parents=True, exist_ok=True)
    for picture in (
        frequency_picture(statistics, what=name),
        pairs_picture(shown, heading="Attributes that come together", what=name),
    ):
        (out / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")
        yield f"\n{out / picture.name}.svg: {picture.alt}"
    numbers = {"benchmark": name, **statistics.to_json(asked, count, least)}
    text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False)
    (out / "stats.json").write_text(text + "\n", encoding="utf-8")
    yield f"{out / 'stats.json'}"
