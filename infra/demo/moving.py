"""Short films of one scene each at the frame rate of motion, with captions: what the world's generator learns from.

The captioned films of `infra.demo.captioned` have a few frames far apart, for models that look at pictures; these have
as many frames as it takes to see things move, and are smaller, so that a model sees more of them in an hour.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from infra.demo.captions import caption
from infra.demo.draw import SCENES, draw_scene
from infra.demo.encode import Encoding, encode
from infra.demo.render import render_shot
from infra.demo.scene import Scene

SIZES = ((160, 96), (96, 160), (128, 96), (96, 128), (128, 128))
"""Width and height in pixels, multiples of 32; a film has one of them."""
LENGTHS = (9, 13, 17)
"""Frames of a film, one of them: one and some times four, as autoencoders take them."""
RATE = Fraction(15, 2)
"""Frames a second."""
Split = Literal["train", "held_out", "any"]


def draw_moving(seed: int, scenes: str = "all", split: Split = "train") -> tuple[Scene, tuple[int, int], str]:
    """A scene, the size of its picture, and one of its captions: the short or the dense one, half of each.

    Args:
        seed: Gives the same three every time.
        scenes: One of `SCENES`.
        split: `train`: shows nothing that is held out; `held_out`: every subject is; `any`.
    """
    rng = np.random.default_rng((seed, 78))
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    duration_s = LENGTHS[int(rng.integers(len(LENGTHS)))] / float(RATE)
    scene = draw_scene(rng, duration_s, width / height, replace(SCENES[scenes], split=split))
    captions = caption(scene)
    return scene, (width, height), captions.short if rng.random() < 0.5 else captions.dense


def make_moving(
    out: Path, seed: int, num: int, scenes: str = "all", split: Split = "train", *, is_square: bool = False
) -> None:
    """Write films and sidecars `moving_SEED.mp4` and `.txt`, for `num` seeds from `seed` on.

    Args:
        out: Where to.
        seed: Of the first film; the others count on from it.
        num: How many.
        scenes: One of `SCENES`.
        split: As of `draw_moving`.
        is_square: Whether pictures are cropped to the square in their middle, as they were before models were trained
            at native sizes.
    """
    out.mkdir(parents=True, exist_ok=True)
    for number in range(seed, seed + num):
        path = out / f"moving_{number:08}.mp4"
        if path.with_suffix(".txt").exists():
            # Written last, so the film is whole: a run that was stopped goes on.
            continue
        scene, size, text = draw_moving(number, scenes, split)
        pictures = render_shot(scene, size, rate=RATE)
        encode(path, map(_squared, pictures) if is_square else pictures, Encoding(frame_rate=RATE))
        path.with_suffix(".txt").write_text(text, encoding="utf-8")


def _squared(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The square in the middle of a picture, (H, W, 3)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def _main() -> None:
    parser = argparse.ArgumentParser(description="Write short captioned films of the miniature world, in motion.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the first film; the others count on from it")
    parser.add_argument("--num", type=int, default=2000)
    parser.add_argument("--scenes", choices=tuple(SCENES), default="all")
    parser.add_argument("--split", choices=("train", "held_out", "any"), default="train")
    parser.add_argument("--square", action="store_true", help="cropped to the square in the middle")
    args = parser.parse_args()
    make_moving(args.out, args.seed, args.num, args.scenes, args.split, is_square=args.square)


if __name__ == "__main__":
    _main()
