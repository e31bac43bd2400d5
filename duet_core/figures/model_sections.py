"""The sections of the report about a model: its figures, curve, classes, attributes, confusions and map."""

from __future__ import annotations

import dataclasses
import html

from duet_core.figures.accuracy_pictures import attribute_picture, class_picture
from duet_core.figures.confusion_picture import confusion_picture
from duet_core.figures.curve_picture import curve_numbers, curve_picture
from duet_core.figures.material import Material, Part
from duet_core.figures.page import Cell, details, figure, figures, table
from duet_core.figures.projection_picture import projection_picture
from duet_core.judging.attribute_accuracy import AttributeAccuracy, attribute_accuracies, prompt_accuracies
from duet_core.judging.class_accuracy import ClassAccuracy, class_accuracies
from duet_core.judging.confusion import ConfusedPair, confusions
from duet_core.judging.names import readable
from duet_core.judging.projection import project_unseen
from duet_core.record import METRICS

PAIRS = 15
"""Confused pairs in a table."""
FEWEST = 3
"""Unseen classes that must have an attribute, and that must lack it, for its AUROC to be named: fewer say little."""


def curve_section(material: Material) -> Part:
    """The table of figures and the seen–unseen curves."""
    numbers = [curve_numbers(one) for one in material.models]
    rows = [
        [one["model"], *(100 * one[name] for name in METRICS), f"{one['gamma']:.3f}",
         100 * one["best_H"]["H"]]
        for one in numbers
    ]  # fmt: skip
    head = ("model", "T1", "U", "S", "H", "AUSUC", "γ", "highest H here")
    caption = "Top-1 accuracy per class, averaged over classes, in percent."
    picture = curve_picture(material.models)
    told = (
        "Lowering γ moves a model along its curve to the upper left. The disc is the γ in the bundle, chosen on "
        "validation classes: the result. The diamond is the γ with the highest H on these very photos: what a γ chosen "
        "on them would have claimed; it is no result. Grey lines join points of equal H."
    )
    drawn = figure(picture, caption=told, source=material.source("seen", "unseen"))
    body = figures(drawn, table(head, rows, caption=caption))
    return Part("curve", "Accuracy and the seen–unseen curve", body, (picture,), numbers=numbers)


def class_section(material: Material) -> Part:
    """Accuracy of every class."""
    classes = class_accuracies(material.first)
    unseen, seen = ([one for one in classes if one.seen is kind] for kind in (False, True))
    first = class_picture(
        unseen, heading="Unseen classes", group="among unseen classes only (CZSL)", name="unseen-classes"
    )
    second = class_picture(seen, heading="Seen classes", group="among seen classes only", name="seen-classes")
    told = "One bar a class: share of its photos recognised when all classes compete. Mark: when only {} compete. "
    mean = "Dashed: the mean of the bars, which is {}."
    left = figure(
        first,
        caption=told.format("the unseen ones") + mean.format(f"U = {100 * material.first.metrics.U:.1f} %"),
        source=material.source("unseen"),
    )
    right = figure(
        second,
        caption=told.format("the seen ones") + mean.format(f"S = {100 * material.first.metrics.S:.1f} %"),
        source=material.source("seen"),
    )
    tables = _class_table("Unseen", unseen, "CZSL") + _class_table("Seen", seen, "among seen")
    body = figures(f"<div>{left}{tables}</div>", right)
    return Part(
        "classes", "Accuracy of each class", body, (first, second), numbers=[dataclasses.asdict(one) for one in classes]
    )


def _class_table(group: str, classes: list[ClassAccuracy], alone: str) -> str:
    rows: list[list[Cell]] = [[one.name, one.photos, 100 * one.all_compete, 100 * one.own_group] for one in classes]
    return details(
        f"{group} classes as a table", table(("class", "photos", "GZSL", alone), rows, caption="In percent.")
    )


def attribute_section(material: Material) -> Part:
    """How well each v_i tells classes with the attribute from those without."""
    attributes = attribute_accuracies(material.first)
    prompts = prompt_accuracies(attributes)
    picture = attribute_picture(attributes, prompts)
    left_out = sum(one.unseen is None for one in attributes)
    most = len(material.first.split.unseen_classes) - FEWEST
    common = [one for one in attributes if FEWEST <= one.classes_unseen <= most]
    common.sort(key=lambda one: -(one.unseen or 0.0))
    told = (
        "For attribute i: the chance that v<sub>i</sub> is higher for a photo of a class that has the attribute (its "
        "degree is above the mean of the class table) than for a photo of a class that has it not, ties counting half "
        "(AUROC). Each group of photos is judged by itself. Degrees are told of classes, so what a single photo really "
        f"shows is not known. {left_out} attributes that all or none of the unseen classes have are left out there."
    )
    drawn = figure(picture, caption=told, source=material.source("seen", "unseen"))
    ends = _attribute_table("highest", common[:10]) + _attribute_table("lowest", common[::-1][:10])
    body = figures(drawn, f"<div>{ends}</div>")
    numbers = {
        "definition": "AUROC of v_i, photos of classes with the attribute against photos of classes without it",
        "attributes": [dataclasses.asdict(one) for one in attributes],
        "prompts": [dataclasses.asdict(one) for one in prompts],
    }
    return Part("attributes", "Accuracy of each attribute", body, (picture,), numbers=numbers)


def _attribute_table(which: str, attributes: list[AttributeAccuracy]) -> str:
    rows = [[one.key, one.unseen, one.classes_unseen, one.seen, one.classes_seen] for one in attributes]
    caption = (
        f"The {which} AUROC on unseen classes, of attributes that at least {FEWEST} of them have and {FEWEST} lack."
    )
    return table(("attribute", "unseen", "classes", "seen", "classes"), rows, caption=caption, digits=3)


def confusion_section(material: Material) -> Part:
    """Which classes are taken for one another."""
    found = confusions(material.first)
    picture = confusion_picture(found)
    told = (
        "Classes of the pairs confused most, siblings beside one another (two classes are siblings when their names "
        f"end in the same word). Of {found.errors:,} wrong answers {found.errors_to_siblings:.1%} name a sibling of "
        "the true class; were they spread evenly over the other classes, it would be "
        f"{found.siblings_by_chance:.1%}. Percents below 5 are not written."
    )
    pairs, among = found.pairs(PAIRS), found.pairs(PAIRS, siblings_only=True)
    body = figures(
        figure(picture, caption=told, source=material.source("seen", "unseen"), wide=True),
        _pair_table(pairs, "The pairs confused most, by the mean of both directions."),
        _pair_table(among, "The siblings confused most."),
    )
    numbers = {
        "errors": found.errors,
        "errors_to_siblings": found.errors_to_siblings,
        "siblings_by_chance": found.siblings_by_chance,
        "pairs": [dataclasses.asdict(one) for one in pairs],
        "sibling_pairs": [dataclasses.asdict(one) for one in among],
    }
    return Part("confusion", "Classes taken for one another", body, (picture,), numbers=numbers)


def _pair_table(pairs: list[ConfusedPair], caption: str) -> str:
    rows = [
        [
            one.first + ("" if one.first_seen else "\u00a0*"),
            one.second + ("" if one.second_seen else "\u00a0*"),
            round(100 * one.first_as_second),
            round(100 * one.second_as_first),
            one.cosine,
            "yes" if one.siblings else "no",
        ]
        for one in pairs
    ]
    head = ("A", "B", "A→B, %", "B→A, %", "cosine", "siblings")
    return table(
        head,
        rows,
        caption=f"{caption} A→B: photos of A answered with B. Cosine: of the class vectors z. * unseen.",
        digits=3,
    )


def map_section(material: Material) -> Part:
    """Unseen classes and their photos in a plane."""
    held_out = material.first
    found = project_unseen(held_out)
    names = held_out.benchmark.classes.names
    picture = projection_picture(found, names)
    shares = [f"{100 * one:.0f} %" for one in (found.explained_classes.sum(), found.explained_photos.sum())]
    told = (
        "Principal components of the class vectors of the unseen classes; photos are their v at length 1, laid on the "
        "same axes, each cloud about its own mean, the class vectors stretched to the photos' size. The families with "
        f"most unseen classes have a colour and a shape. The plane shows {shares[0]} of the spread of the class "
        f"vectors and {shares[1]} of that of the photos: what lies together here may be apart in the other dimensions. "
        "The axes are linear on purpose: distances in t-SNE or UMAP would depend on their settings."
    )
    body = figures(figure(picture, caption=told, source=material.source("unseen"), wide=True))
    numbers = {
        "explained_classes": found.explained_classes.tolist(),
        "explained_photos": found.explained_photos.tolist(),
        "classes": {
            readable(names[row]): [round(float(x), 5) for x in point]
            for row, point in zip(found.rows, found.classes, strict=True)
        },
    }
    return Part("map", "A map of unseen classes", body, (picture,), numbers=numbers)


def lead(material: Material) -> str:
    """What stands above everything: what was judged, and what may not be done with it."""
    held_out = material.first
    escaped = html.escape(held_out.model_id)
    photos = f"{len(held_out.seen):,} photos of seen and {len(held_out.unseen):,} of unseen classes"
    return (
        f"<p>{escaped} on the {held_out.split.name} photos of {html.escape(held_out.benchmark.name)}: {photos}, "
        f"{len(held_out.split.seen_classes)} seen and {len(held_out.split.unseen_classes)} unseen classes.</p>"
        '<p class="note"><strong>A description, not a choice.</strong> The model was finished and frozen before: '
        "weights, γ, temperature and threshold come from training and validation classes. The photos here describe it; "
        "nothing may be chosen from what is shown: not a model, not γ, not an epoch. Who does has no test photos left."
        "</p>"
    )
