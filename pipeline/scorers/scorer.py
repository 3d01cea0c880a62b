"""The small form that every scorer has: a name, a model, what is known of a clip in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from schemas import Resources

Picture = npt.NDArray[np.uint8]
"""uint8 (height, width, 3): RGB as displayed, within the clip's crop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipView:
    """What a scorer may look at of one clip."""

    clip_id: str
    pictures: Sequence[Picture] = ()
    """Its preview pictures in order of time; none for a scorer that needs none."""
    embedding: npt.NDArray[np.float32] | None = None
    """float32 (width,), of unit length, where the scorer needs it."""
    text: str | None = None
    """Its original caption, where the scorer needs it and there is one."""


class Scorer(Protocol):
    """Gives values to clips. Copied to each worker, where `setup` is called once."""

    @property
    def name(self) -> str:
        """The stage's name; its table is `scores/NAME`."""

    @property
    def version(self) -> int:
        """Raised by hand when the same pictures give other values than before."""

    @property
    def needs(self) -> frozenset[str]:
        """Which of `pictures`, `embedding`, `text` it looks at."""

    @property
    def resources(self) -> Resources:
        """What one worker occupies."""

    @property
    def batch_clips(self) -> int:
        """How many clips it likes at once."""

    @property
    def seconds_a_clip(self) -> float:
        """Roughly how long one core is occupied with a clip, in seconds."""

    def models(self) -> Mapping[str, str]:
        """Digests of the files that its values depend on, by name.

        Raises:
            ConfigError: One of them is not there or is not what it says.
        """

    def setup(self) -> None:
        """Load the model."""

    def score(self, clips: Sequence[ClipView]) -> Sequence[Mapping[str, object]]:
        """The columns of its table for each clip, finite or None, in the order of the clips.

        Raises:
            MediaError: One of the clips is bad; the stage then asks for each alone.
        """
