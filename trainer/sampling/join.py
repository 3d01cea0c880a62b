"""Pieces of video joined where they show the same frames."""

from __future__ import annotations

import numpy as np

from trainer.sampling.request import Frames


def joined(before: Frames, after: Frames, overlap: int, *, ends_after: bool) -> Frames:
    """Two pieces as one; where both show the same frames, the first fades into the second.

    A piece of the user's own and the same frames out of an autoencoder differ a little. With the fade that difference
    comes slowly, and there is none at the frame where the made part begins.

    Args:
        before: uint8 (F, H, W, 3).
        after: Of the same size; its first `overlap` frames show what the last ones of `before` show.
        overlap: At most as many as either has; 0 to put one behind the other.
        ends_after: Whether the last of the common frames is wholly that of `after`, as it is where the made part
            follows it; else the first one is wholly that of `before`.
    """
    if not overlap:
        return np.concatenate((before, after))
    shares = (np.arange(overlap, dtype=np.float32) + ends_after) / overlap
    old, new = before[-overlap:].astype(np.float32), after[:overlap].astype(np.float32)
    mixed = old + shares[:, None, None, None] * (new - old)
    return np.concatenate((before[:-overlap], np.rint(mixed).astype(np.uint8), after[overlap:]))
