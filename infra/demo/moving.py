"""Short films of one scene each at the frame rate of motion, with captions: what the world's generator learns from.

The captioned films of `infra.demo.captioned` have a few frames far apart, for models that look at pictures; these have
as many frames as it takes to see things move.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

from infra.demo.captioned import draw_captioned
from infra.demo.encode import Encoding, encode
from infra.demo.render import render_shot

SECONDS = 2
"""Of a film: what `draw_captioned` draws a scene for."""
RATE = Fraction(15, 2)
"""Frames a second."""


def make_moving(out: Path, seed: int, num: int, split: str = "train", rate: Fraction = RATE) -> None:
    """Write films and sidecars `moving_SEED.mp4` and `.txt`, for `num` seeds from `seed` on.

    Args:
        out: Where to.
        seed: Of the first film; the others count on from it.
        num: How many.
        split: `train`: shows nothing that is held out; `held_out`: every subject is; `any`.
        rate: Frames a second.
    """
    out.mkdir(parents=True, exist_ok=True)
    for number in range(seed, seed + num):
        path = out / f"moving_{number:08}.mp4"
        if path.with_suffix(".txt").exists():
            # Written last, so the film is whole: a run that was stopped goes on.
            continue
        scene, size, text = draw_captioned(number, split)
        times_s = [index / float(rate) for index in range(int(SECONDS * rate))]
        encode(path, render_shot(scene, size, times_s), Encoding(frame_rate=rate))
        path.with_suffix(".txt").write_text(text, encoding="utf-8")


def _main() -> None:
    parser = argparse.ArgumentParser(description="Write short captioned films of the miniature world, in motion.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the first film; the others count on from it")
    parser.add_argument("--num", type=int, default=2000)
    parser.add_argument("--split", choices=("train", "held_out", "any"), default="train")
    parser.add_argument("--rate", type=Fraction, default=RATE, help="frames a second (15/2)")
    args = parser.parse_args()
    make_moving(args.out, args.seed, args.num, args.split, args.rate)


if __name__ == "__main__":
    _main()
