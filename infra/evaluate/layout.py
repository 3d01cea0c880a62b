"""Where objects stand: how many, which is left of which, and whether one is in the picture with all of it."""

from __future__ import annotations

import numpy as np

from infra.demo.vocabulary import RELATIONS
from infra.evaluate.objects import Seen

SIDE_WORDS, DEPTH_WORDS = RELATIONS[:4], RELATIONS[4:]
"""Left of, right of, above, below, which any picture shows; in front of, behind, which shows where objects overlap."""


def relation(one: Seen, other: Seen) -> str:
    """Where an object stands as seen from another when both are first in the picture."""
    both = np.intersect1d(one.frames, other.frames)
    frame = int(both[0]) if len(both) else None
    first, second = (
        seen.places[0] if frame is None else seen.places[int(np.searchsorted(seen.frames, frame))]
        for seen in (one, other)
    )
    across, down = first - second
    if abs(across) > abs(down):
        return "left of" if across < 0 else "right of"
    return "above" if down < 0 else "below"


def framed_share(seen: Seen, num_frames: int) -> float:
    """In what share of a video's frames an object is in the picture with all of it."""
    return sum(not blob.touches for blob in seen.blobs) / num_frames
