"""Where the object is in a whole photo, by a bundle's finder.onnx, so that the model sees it as it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from duet_core.runtime.preprocess import INTERPOLATIONS, Preprocessing, to_pixels, to_rgb
from duet_core.runtime.sessions import Execution, open_session

FINDER = "finder.onnx"
"""What a bundle holds after `duet finder`."""

_ONE_THREAD = Execution(threads=1)
"""It runs on the CPU in the threads that decode photos, of which there are several."""


@dataclass(frozen=True)
class Box:
    """A rectangle of an upright photo; edges in 0…1 of its width and height, left < right and top < bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def distance(self, other: Box) -> float:
        """How far the edge that is farthest from the other's lies from it."""
        edges = ((self.left, other.left), (self.top, other.top), (self.right, other.right), (self.bottom, other.bottom))
        return max(abs(own - its) for own, its in edges)

    def pixels(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in whole pixels of a photo of this width and height; at least one a side."""
        left, right = _edges(self.left, self.right, size[0])
        top, bottom = _edges(self.top, self.bottom, size[1])
        return left, top, right, bottom

    def cut(self, image: Image.Image) -> Image.Image:
        """What it holds of a photo."""
        return image.crop(self.pixels(image.size))


def _edges(low: float, high: float, side: int) -> tuple[int, int]:
    first = min(round(low * side), side - 1)
    return first, max(round(high * side), first + 1)


class Finder:
    """A finder at work. Thread-safe. Letter key: S pixels a side of what it reads."""

    def __init__(self, session: onnxruntime.InferenceSession, preprocessing: Preprocessing) -> None:
        """Take a session of input pixels (1, 3, S, S) and output box (1, 4).

        Args:
            preprocessing: of the bundle: its colours and how it scales.

        Raises ValueError for a network of other inputs or outputs.
        """
        inputs = {node.name: node.shape for node in session.get_inputs()}
        outputs = {node.name for node in session.get_outputs()}
        shape = inputs.get("pixels") or []
        if set(inputs) != {"pixels"} or outputs != {"box"} or len(shape) != 4 or not isinstance(shape[2], int):
            raise ValueError(f"inputs {inputs}, outputs {sorted(outputs)}; expected pixels (1, 3, S, S) and box")
        self._session, self._preprocessing, self._side = session, preprocessing, shape[2]

    def find(self, image: Image.Image) -> Box:
        """The box of the object in a photo of any size and colour mode."""
        size = (self._side, self._side)
        square = to_rgb(image).resize(size, INTERPOLATIONS[self._preprocessing.interpolation])
        pixels = to_pixels(square, mean=self._preprocessing.mean, std=self._preprocessing.std)
        (found,) = self._session.run(["box"], {"pixels": pixels[None]})
        return Box(*(float(edge) for edge in np.clip(found[0], 0.0, 1.0)))

    def square(self, image: Image.Image, box: Box) -> Image.Image:
        """What the box holds, stretched to a square as the crops were that the model was trained on."""
        size = (self._preprocessing.resize, self._preprocessing.resize)
        return box.cut(to_rgb(image)).resize(size, INTERPOLATIONS[self._preprocessing.interpolation])


def open_finder(file: Path, preprocessing: Preprocessing) -> Finder:
    """Open a bundle's finder. Raises ValueError for another network, and what ONNX Runtime raises."""
    return Finder(open_session(file, _ONE_THREAD), preprocessing)
