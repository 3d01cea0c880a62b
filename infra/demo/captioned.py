"""Short films of one scene each with their captions beside them: what the world's small models learn from.

A film of the world has several shots and so no caption that is true of all; these have one shot, a few frames
and a sidecar, and cost about a tenth of a second each.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np

from infra.demo.captions import caption
from infra.demo.draw import Wishes, draw_scene
from infra.demo.encode import Encoding, encode
from infra.demo.render import render_shot
from infra.demo.scene import Scene

SIZES = ((256, 144), (256, 144), (144, 256), (208, 156), (160, 160))
"""Width and height in pixels; a film has one of them, most often 16:9."""
NUM_FRAMES = 6
RATE = Fraction(3)
"""Frames a second: far apart, since only a few pictures of each clip are looked at."""


def draw_captioned(seed: int, split: str = "train") -> tuple[Scene, tuple[int, int], str]:
    """A scene, the size of its picture, and one of its captions: the short or the dense one, half of each.

    Args:
        seed: Gives the same three every time.
        split: `train`: shows nothing that is held out; `held_out`: every subject is; `any`.
    """
    rng = np.random.default_rng((seed, 77))
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    scene = draw_scene(rng, NUM_FRAMES / float(RATE), width / height, Wishes(split=split))
    captions = caption(scene)
    return scene, (width, height), captions.short if rng.random() < 0.5 else captions.dense


def make_captioned(out: Path, seed: int, num: int, split: str = "train") -> None:
    """Write films and sidecars `scene_SEED.mp4` and `.txt`, for `num` seeds from `seed` on."""
    out.mkdir(parents=True, exist_ok=True)
    times_s = [index / float(RATE) for index in range(NUM_FRAMES)]
    for number in range(seed, seed + num):
        scene, size, text = draw_captioned(number, split)
        path = out / f"scene_{number:07}.mp4"
        encode(path, render_shot(scene, size, times_s), Encoding(frame_rate=RATE))
        path.with_suffix(".txt").write_text(text, encoding="utf-8")


def _main() -> None:
    parser = argparse.ArgumentParser(description="Write short captioned films of the miniature world.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the first film; the others count on from it")
    parser.add_argument("--num", type=int, default=4000)
    parser.add_argument("--split", choices=("train", "held_out", "any"), default="train")
    args = parser.parse_args()
    make_captioned(args.out, args.seed, args.num, args.split)


if __name__ == "__main__":
    _main()
