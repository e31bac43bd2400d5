"""A photo beside what the model sees in it, drawn with Pillow alone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from duet_core.runtime.finder import Box
from duet_core.runtime.grounding import GroundedSet

_INK, _QUIET, _PAPER, _TRACK = "#1c2733", "#66737f", "#ffffff", "#e8ecef"
_FRAME = "#b6f2cb"
_BARS = ("#1f6f8b", "#6aa5b8", "#b4d0d9")
_MARGIN, _PHOTO, _COLUMN, _GAP = 36, 440, 330, 34
_HEAD, _LINE, _SPACE = 26, 20, 14
_NAME, _VALUE = 150, 42
_ROWS_A_COLUMN = 10


def draw_explanation(
    photo: Image.Image, *, title: str, subtitle: str, grounded: Sequence[GroundedSet], box: Box | None = None
) -> Image.Image:
    """An RGB picture: the photo with title on the left, bars for every prompt set on the right in columns.

    Args:
        photo: any size, RGB.
        title: the class.
        subtitle: one sentence under it.
        grounded: the prompt sets as `ground` returns them; a bar's length is the share of its attribute.
        box: what the model looked at, drawn as a frame; None for no frame.
    """
    columns = max(1, -(-len(grounded) // _ROWS_A_COLUMN))
    rows = -(-len(grounded) // columns)
    block = _HEAD + _LINE * max(len(entry.attributes) for entry in grounded) + _SPACE
    shown = photo.copy()
    shown.thumbnail((_PHOTO, _PHOTO), Image.Resampling.LANCZOS)
    if max(shown.size) < _PHOTO:  # a small photo is enlarged, so that it does not look lost
        scale = _PHOTO / max(shown.size)
        shown = shown.resize((round(shown.width * scale), round(shown.height * scale)), Image.Resampling.BICUBIC)
    if box is not None:
        ImageDraw.Draw(shown).rectangle(box.pixels(shown.size), outline=_FRAME, width=3)
    caption = textwrap.wrap(subtitle, 58)
    left = shown.height + 20 + 44 + len(caption) * 22
    width = 2 * _MARGIN + _PHOTO + columns * (_COLUMN + _GAP)
    height = 2 * _MARGIN + max(rows * block - _SPACE, left)
    canvas = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    canvas.paste(shown, (_MARGIN, _MARGIN))
    top = _MARGIN + shown.height + 20
    draw.text((_MARGIN, top), _fitted(draw, title, _PHOTO, 30), fill=_INK, font=_font(30))
    for number, line in enumerate(caption):
        draw.text((_MARGIN, top + 44 + 22 * number), line, fill=_QUIET, font=_font(16))
    for place, entry in enumerate(grounded):
        column, row = divmod(place, rows)
        corner = (_MARGIN + _PHOTO + _GAP + column * (_COLUMN + _GAP), _MARGIN + row * block)
        _draw_set(draw, corner, entry)
    return canvas


def _draw_set(draw: ImageDraw.ImageDraw, corner: tuple[int, int], entry: GroundedSet) -> None:
    x, y = corner
    draw.text((x, y), entry.prompt, fill=_INK, font=_font(17))
    bar_left, bar_right = x + _NAME, x + _COLUMN - _VALUE
    for number, found in enumerate(entry.attributes):
        line = y + _HEAD + _LINE * number
        draw.text((x, line), _fitted(draw, found.name, _NAME - 10, 14), fill=_QUIET, font=_font(14))
        draw.rounded_rectangle((bar_left, line + 3, bar_right, line + 13), 5, fill=_TRACK)
        length = round((bar_right - bar_left) * found.score)
        if length >= 10:  # a shorter bar cannot have round ends
            draw.rounded_rectangle((bar_left, line + 3, bar_left + length, line + 13), 5, fill=_BARS[min(number, 2)])
        elif length > 0:
            draw.ellipse((bar_left, line + 3, bar_left + 10, line + 13), fill=_BARS[min(number, 2)])
        draw.text((x + _COLUMN, line), f"{found.score:.0%}", fill=_QUIET, font=_font(14), anchor="ra")


def _fitted(draw: ImageDraw.ImageDraw, text: str, width: int, size: int) -> str:
    """The text, cut with an ellipsis where it would run out of its place."""
    if draw.textlength(text, font=_font(size)) <= width:
        return text
    while text and draw.textlength(text + "…", font=_font(size)) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own typeface: the same picture on every machine."""
    return ImageFont.load_default(size)
