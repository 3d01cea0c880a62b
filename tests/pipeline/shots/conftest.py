"""Drawn shots as thumbnails, and ways to join them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

Frames = npt.NDArray[np.uint8]


class Edits:
    """Makes shots and joins them."""

    @staticmethod
    def shot(seed: int, num_frames: int, *, speed: float = 0.3, gain: float = 1.0, noise: float = 1.0) -> Frames:
        """A textured picture that moves by `speed` thumbnail pixels a frame, uint8 (N, 27, 48, 3)."""
        rng = np.random.default_rng(seed)
        world = sum(
            cv2.resize(rng.normal(0, 255 / size**0.7, (size, 2 * size, 3)), (240, 120), interpolation=cv2.INTER_CUBIC)
            for size in (6, 12, 24, 48)
        )
        world = 128 + (world - world.mean()) * 45 / world.std()
        world[..., 1:] = 128 + (world[..., 1:] - 128) * 0.3 + rng.uniform(-15, 15, 2)
        heading = rng.uniform(0, 2 * np.pi)
        frames = np.empty((num_frames, 27, 48, 3))
        for k in range(num_frames):
            x, y = 40 + speed * k * np.cos(heading), 40 + speed * k * np.sin(heading)
            place = np.array([[1, 0, -x], [0, 1, -y]])
            frames[k] = cv2.warpAffine(world, place, (48, 27), borderMode=cv2.BORDER_REFLECT)
        frames[..., 0] *= gain
        frames[..., 1:] = 128 + (frames[..., 1:] - 128) * gain
        return Edits.to_levels(frames + rng.normal(0, noise, frames.shape))

    @staticmethod
    def to_levels(frames: npt.NDArray[np.floating]) -> Frames:
        return np.clip(np.rint(frames), 0, 255).astype(np.uint8)

    @staticmethod
    def plain(num_frames: int, luma: int = 0) -> Frames:
        return np.broadcast_to(np.array([luma, 128, 128], np.uint8), (num_frames, 27, 48, 3))

    @staticmethod
    def share(length: int) -> npt.NDArray[np.float64]:
        """Of the new picture in each of so many frames of a transition, none all old or all new."""
        return (np.arange(length) + 1)[:, None, None, None] / (length + 1)

    @staticmethod
    def blended(old: Frames, new: Frames) -> Frames:
        """Equally many frames of both, dissolving."""
        weight = Edits.share(len(old))
        return Edits.to_levels((1 - weight) * old + weight * new)

    @staticmethod
    def dissolve(old: Frames, new: Frames, length: int) -> Frames:
        return np.concatenate([old[:-length], Edits.blended(old[-length:], new[:length]), new[length:]])

    @staticmethod
    def fade(old: Frames, new: Frames, length: int, held: int = 0, luma: int = 0) -> Frames:
        """Out over `length` frames, plain for `held`, and in over `length`."""
        color = Edits.plain(length, luma)
        return np.concatenate(
            [
                old[:-length],
                Edits.blended(old[-length:], color),
                Edits.plain(held, luma),
                Edits.blended(color, new[:length]),
                new[length:],
            ]
        )

    @staticmethod
    def wipe(old: Frames, new: Frames, length: int, direction: str) -> Frames:
        y, x = np.mgrid[0:27, 0:48]
        place = {"right": x / 48, "left": 1 - x / 48, "down": y / 27, "diagonal": (x / 48 + y / 27) / 2}[direction]
        is_new = place[None, :, :, None] < Edits.share(length)
        mixed = np.where(is_new, new[:length], old[-length:])
        return np.concatenate([old[:-length], mixed, new[length:]])

    @staticmethod
    def times(frames: Frames, rate: float = 25.0) -> npt.NDArray[np.float64]:
        return np.arange(len(frames)) / rate


@pytest.fixture
def edits() -> type[Edits]:
    return Edits
