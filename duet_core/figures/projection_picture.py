"""The map of unseen classes and their photos: families by colour and shape, class vectors as large marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from duet_core.figures.style import CYCLE, GREY, INK, MARKERS, PAPER, QUIET, WIDTH, Picture, drawing, finish, title
from duet_core.judging.names import family, readable
from duet_core.judging.projection import Projection


def projection_picture(found: Projection, class_names: tuple[str, ...], *, name: str = "embedding-map") -> Picture:
    """Photos as small marks, class vectors as large ones; the families with most classes have a colour and a shape."""
    names = [class_names[row] for row in found.rows]
    counted = Counter(family(one) for one in names)
    shown = [one for one, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])) if count > 1]
    shown = shown[: len(CYCLE)]
    spread = np.abs(found.photos).max(axis=0) / np.abs(found.classes).max(axis=0)
    classes = found.classes * spread.min() * 0.8  # both are less their mean; the classes are drawn at the photos' scale
    with drawing(WIDTH * 1.5, 5.6) as (figure, axes):
        for place, one in enumerate([*shown, None]):
            colour, marker = (GREY, ".") if one is None else (CYCLE[place], MARKERS[place])
            of_family = np.array([(family(n) == one) if one else (family(n) not in shown) for n in names])
            photos = found.photos[of_family[found.label]]
            axes.plot(photos[:, 0], photos[:, 1], marker, color=colour, markersize=3.2, alpha=0.35, markeredgewidth=0,
                      zorder=1 if one is None else 2, rasterized=False)  # fmt: skip
            label = "other classes" if one is None else f"{one} ({counted[one]} classes)"
            marks = classes[of_family]
            axes.plot(marks[:, 0], marks[:, 1], "o" if one is None else marker, color=colour, markersize=9,
                      markeredgecolor=PAPER, markeredgewidth=1.2, linestyle="none", label=label, zorder=4)  # fmt: skip
        _name(axes, classes, [_label(one, shown) for one in names])
        axes.grid(visible=False)
        axes.axhline(0, color=QUIET, linewidth=0.5, zorder=0)
        axes.axvline(0, color=QUIET, linewidth=0.5, zorder=0)
        axes.set_xticks([])
        axes.set_yticks([])
        first, second = (f"{100 * share:.0f} %" for share in found.explained_classes)
        axes.set_xlabel(
            f"first axis: {first} of the classes' spread, {100 * found.explained_photos[0]:.0f} % of the photos'"
        )
        axes.set_ylabel(f"second axis: {second}, {100 * found.explained_photos[1]:.0f} %")
        title(figure, "Unseen classes (large) and their photos (small)")
        figure.legend(loc="outside lower center", ncols=3)
        alt = (
            f"Map of {len(names)} unseen classes and {len(found.photos)} photos on two principal axes, which show "
            f"{first} and {second} of the spread of the class vectors."
        )
        return finish(figure, name=name, alt=alt)


def _label(class_name: str, shown: Sequence[str]) -> str:
    """What is written beside a class: of a family with a colour, without the word that the legend says."""
    name = readable(class_name)
    return name.rsplit(" ", 1)[0] if family(class_name) in shown else name


def _name(axes: Axes, points: NDArray[np.float64], texts: Sequence[str]) -> None:
    """Write beside each point, on that of ten places where the least of what is written, and of marks, is touched."""
    across, up = (float(np.ptp(limits)) for limits in (axes.get_xlim(), axes.get_ylim()))
    scale = np.array([across / 480, up / 330])  # about one point (1/72 inch) of the picture
    written, marks = list[Box](), [_box(point, (-5.0, -5.0), (5.0, 5.0), scale) for point in points]
    for point, text in zip(points, texts, strict=True):
        length = 3.9 * len(text)
        places = [(7.0, 0.0), (-7 - length, 0.0), (-length / 2, 10.0), (-length / 2, -10.0), (5.0, 9.0), (5.0, -9.0)]
        places += [(-5 - length, 9.0), (-5 - length, -9.0), (-length / 2, -18.0), (9.0, -17.0)]
        boxes = [_box(point, (x, y - 4), (x + length, y + 4), scale) for x, y in places]
        touched = [
            sum(_overlap(box, one) for one in marks) + 3 * sum(_overlap(box, one) for one in written) for box in boxes
        ]
        chosen = int(np.argmin(touched))
        written.append(boxes[chosen])
        axes.annotate(
            text,
            tuple(point),
            xytext=places[chosen],
            textcoords="offset points",
            fontsize=6.5,
            color=INK,
            zorder=5,
            va="center",
        )


Box = tuple[float, float, float, float]


def _box(
    point: NDArray[np.float64], low: tuple[float, float], high: tuple[float, float], scale: NDArray[np.float64]
) -> Box:
    """Left, bottom, right, top of a rectangle given in points of the picture around a place."""
    (left, bottom), (right, top) = point + np.array(low) * scale, point + np.array(high) * scale
    return float(left), float(bottom), float(right), float(top)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
