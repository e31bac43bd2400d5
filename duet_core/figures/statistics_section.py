"""The section about the benchmark's attributes: Figure 7 and its tables."""

from __future__ import annotations

from duet_core.figures.material import Material, Part
from duet_core.figures.page import Cell, details, figure, figures, table
from duet_core.figures.statistics_picture import frequency_picture, pairs_picture
from duet_core.statistics import LEAST_CLASSES, Pair

COUNT = 10


def statistics_section(material: Material) -> Part:
    """How often attributes occur in the benchmark's classes, and which occur together (Eqs. 27, 28)."""
    statistics, name = material.statistics, material.first.benchmark.name
    closest = statistics.closest_pairs(COUNT)
    first = frequency_picture(statistics, what=name)
    second = pairs_picture(closest, heading="Attributes that come together", what=name)
    source = material.source()
    rows = [
        [part, statistics.schema.keys[row], int(statistics.counts[row]), 100 * statistics.frequency[row]]
        for part, found in zip(("most", "least"), statistics.extremes(COUNT), strict=True)
        for row in found
    ]
    prompts: list[list[Cell]] = [
        [one.prompt, one.attributes, one.mean_present, 100 * one.classes_without, one.commonest,
         100 * one.commonest_frequency, one.rarest, 100 * one.rarest_frequency]
        for one in statistics.prompts()
    ]  # fmt: skip
    body = figures(
        figure(
            first,
            caption="Freq(a), the classes that have an attribute (Eq. 27): a class has it when its degree is above the "
            "mean of the whole class table.",
            source=source,
        ),
        figure(
            second,
            caption="R(a ← b) = classes with both / classes with b alone (Eq. 28), for the pairs that come together "
            f"most beyond what their frequencies explain; attributes of at least {LEAST_CLASSES} classes.",
            source=source,
        ),
    )
    body += details(
        "Tables: frequencies, pairs, prompt sets",
        table(("", "attribute", "classes", "Freq, %"), rows, caption="The most and the least frequent attributes.")
        + _pairs(statistics.highest_pairs(COUNT), "The pairs with the highest R.")
        + _pairs(
            statistics.lowest_pairs(COUNT), "The pairs with the lowest R; of equal ones, those likeliest by chance."
        )
        + _pairs(closest, "The pairs furthest beyond chance.")
        + table(
            ("prompt set", "attributes", "a class has", "classes with none, %", "commonest", "%", "rarest", "%"),
            prompts,
            caption="The prompt sets.",
        ),
    )
    return Part(
        "statistics", "The benchmark's attributes", body, (first, second), numbers=statistics.to_json(count=COUNT)
    )


def _pairs(pairs: list[Pair], caption: str) -> str:
    rows: list[list[Cell]] = [
        [f"{one.first} ← {one.given}", one.together, one.alone, one.ratio_text, one.lift] for one in pairs
    ]
    head = ("a ← b", "both", "b alone", "R", "lift")
    told = f"{caption} Lift: share with a among classes with b, over its share among all."
    return table(head, rows, caption=told, digits=2)
