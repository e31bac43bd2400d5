"""Accuracy of each class as sorted bars, and of the attributes of each prompt set as dots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duet_core.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    QUIET,
    WIDTH,
    Picture,
    drawing,
    finish,
    percent_axis,
    plain_list,
    title,
)
from duet_core.judging.attribute_accuracy import AttributeAccuracy, PromptAccuracy
from duet_core.judging.class_accuracy import ClassAccuracy


def class_picture(classes: Sequence[ClassAccuracy], *, heading: str, group: str, name: str) -> Picture:
    """One bar a class for all classes competing, a mark where it is with its own group alone; the means as lines.

    Args:
        classes: of one group, in the order shown.
        heading: above it.
        group: what the mark is called, such as "among unseen classes only (CZSL)".
        name: of the picture.
    """
    compete, alone = [one.all_compete for one in classes], [one.own_group for one in classes]
    places = np.arange(len(classes))
    with drawing(WIDTH, 1.3 + 0.17 * len(classes)) as (figure, axes):
        axes.barh(places, compete, height=0.72, color=BLUE, label="all classes compete (GZSL)")
        axes.plot(alone, places, "|", color=ORANGE, markersize=8, markeredgewidth=2.2, label=group)
        axes.axvline(float(np.mean(compete)), color=INK, linewidth=1, linestyle="--")
        axes.set_yticks(places, [one.name for one in classes])
        axes.tick_params(axis="y", labelsize=8, labelcolor=INK)
        axes.set_xlim(0, 1.01)
        axes.set_ylim(-0.7, len(classes) - 0.3)
        percent_axis(axes)
        plain_list(axes)
        title(figure, heading)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=1)  # bars first
        alt = (
            f"{heading}: {len(classes)} classes, mean {100 * np.mean(compete):.1f} % with all competing and "
            f"{100 * np.mean(alone):.1f} % {group}; best {classes[0].name} {100 * compete[0]:.0f} %, worst "
            f"{classes[-1].name} {100 * compete[-1]:.0f} %."
        )
        return finish(figure, name=name, alt=alt)


def attribute_picture(
    attributes: Sequence[AttributeAccuracy], prompts: Sequence[PromptAccuracy], *, name: str = "attribute-accuracy"
) -> Picture:
    """AUROC of every attribute on photos of unseen classes, one line a prompt set, its means on either group."""
    with drawing(WIDTH, 1.4 + 0.2 * len(prompts)) as (figure, axes):
        for place, prompt in enumerate(prompts):
            values = [one.unseen for one in attributes if one.prompt == prompt.prompt and one.unseen is not None]
            axes.plot(values, [place] * len(values), "o", color=GREY, markersize=3.4, alpha=0.55)
            if prompt.seen is not None:
                axes.plot(prompt.seen, place, "D", color="none", markeredgecolor=ORANGE, markersize=5.5)
            if prompt.unseen is not None:
                axes.plot(prompt.unseen, place, "|", color=BLUE, markersize=11, markeredgewidth=2.6)
        axes.axvline(0.5, color=QUIET, linewidth=1, linestyle="--")
        axes.plot([], [], "o", color=GREY, markersize=3.4, label="an attribute, photos of unseen classes")
        axes.plot([], [], "|", color=BLUE, markersize=9, markeredgewidth=2.6, label="mean of the set, unseen classes")
        axes.plot(
            [], [], "D", color="none", markeredgecolor=ORANGE, markersize=5.5, label="mean of the set, seen classes"
        )
        axes.set_yticks(np.arange(len(prompts)), [f"{one.prompt} ({one.attributes})" for one in prompts])
        axes.tick_params(axis="y", labelsize=8, labelcolor=INK)
        axes.set_ylim(-0.7, len(prompts) - 0.3)
        axes.set_xlabel("AUROC of v_i; 0.5 is guessing")
        plain_list(axes)
        title(figure, "How well v tells who has an attribute")
        figure.legend(loc="outside lower center", ncols=1)
        known = [one for one in prompts if one.unseen is not None]
        best, worst = (
            (f"{one.prompt} ({one.unseen:.2f})" for one in (known[0], known[-1])) if known else ("none", "none")
        )
        alt = f"Dot plot of AUROC by prompt set on unseen classes; best {best}, worst {worst}."
        return finish(figure, name=name, alt=alt)
