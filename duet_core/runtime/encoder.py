"""Photos to predicted attributes v and image states, by the bundle's vision model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from duet_core.classes import FloatArray
from duet_core.runtime.finder import Box

if TYPE_CHECKING:
    from duet_core.runtime.bundle import Bundle


@dataclass(frozen=True)
class Look:
    """A photo as the vision model reads it.

    Attributes:
        pixels: (3, S, S).
        box: what part of the photo they show, stretched to a square; None for its central square.
    """

    pixels: NDArray[np.float32]
    box: Box | None = None


@dataclass(frozen=True)
class Encoded:
    """What the vision model says of B photos (Eq. 3).

    Attributes:
        v: (B, A) predicted attributes, in the scale of class vectors.
        state: (B, D) image states, all that grounding needs.
    """

    v: FloatArray
    state: FloatArray


class Encoder:
    """The vision side of a bundle at work. Letter key: B photos, A attributes, D width, S side.

    Thread-safe: ONNX Runtime sessions may be run from several threads. Holds no state of its own.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._vision = bundle.vision
        self._grounding = bundle.grounding
        self._preprocessing = bundle.preprocessing
        self._finder = bundle.finder

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        """Pixels (3, S, S) of the central square of one photo: of a crop that shows the object already."""
        return self._preprocessing(image)

    def look(self, image: Image.Image, *, find: bool = True) -> Look:
        """Pixels of a whole photo, cut to the object where the bundle has a finder and `find` asks for it.

        To be called where photos are decoded, off the inference thread.
        """
        if self._finder is None or not find:
            return Look(self.prepare(image))
        box = self._finder.find(image)
        return Look(self._preprocessing(self._finder.square(image, box)), box)

    def encode(self, images: Sequence[Image.Image]) -> Encoded:
        """v and state of B >= 1 photos of any size and colour mode."""
        return self.encode_pixels(np.stack([self.prepare(image) for image in images]))

    def encode_pixels(self, pixels: NDArray[np.float32]) -> Encoded:
        """v (B, A) and state (B, D) of prepared pixels (B, 3, S, S)."""
        v, state = self._vision.run(["v", "state"], {"pixels": pixels})
        return Encoded(v=np.asarray(v, dtype=np.float32), state=np.asarray(state, dtype=np.float32))

    def attribute_scores(self, state: FloatArray) -> FloatArray:
        """Grounding scores (B, A) of image states (B, D): Eq. 26, before the best of each prompt set are taken."""
        (scores,) = self._grounding.run(["attribute_scores"], {"state": state})
        return np.asarray(scores, dtype=np.float32)
