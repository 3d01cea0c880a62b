"""Short films of one scene each with what a captioner should answer: what the world's captioner learns from.

Six frames each, half a second apart on average: a captioner looks at no more, and they cost a twentieth of a second.
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from infra.demo.captioned import SIZES
from infra.demo.described import describe
from infra.demo.draw import Wishes, draw_scene
from infra.demo.encode import Encoding, encode
from infra.demo.render import render_shot
from infra.demo.scene import Scene

ANSWERS_FILE = "answers.jsonl"
SINGLE_FILE, LARGE_FILE = "single.jsonl", "large.jsonl"
"""Of films of one object, and of those of a large one, what that object is, and no more: a model that knows nothing yet
can begin with it."""
NUM_FRAMES = 6
RATES = (Fraction(3), Fraction(2), Fraction(3, 2))
"""Frames a second: films of 2, 3 and 4 seconds."""


def make_answered(out: Path, seed: int, num: int, split: str = "train") -> None:
    """Write films `scene_SEED.mp4`, for `num` seeds from `seed` on, and a file of answers about them.

    Args:
        out: The folder; the answers are `answers.jsonl` in it, and names of single objects in
            `single.jsonl` and `large.jsonl`.
        seed: Of the first film.
        num: How many.
        split: `train`: shows nothing that is held out; `held_out`: every subject is; `any`.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (
        (out / ANSWERS_FILE).open("w", encoding="utf-8") as answers,
        (out / SINGLE_FILE).open("w", encoding="utf-8") as single,
        (out / LARGE_FILE).open("w", encoding="utf-8") as large,
    ):
        for number in range(seed, seed + num):
            path = out / f"scene_{number:07}.mp4"
            scene = _write_film(path, number, split)
            described = describe(scene)
            answers.write(json.dumps(described.to_json(path.name)) + "\n")
            if len(scene.things) == 1:
                line = json.dumps({"uri": path.name, "short": described.structured.subject}) + "\n"
                single.write(line)
                if scene.things[0].size == "large":
                    large.write(line)


def _write_film(path: Path, seed: int, split: str) -> Scene:
    rng = np.random.default_rng((seed, 78))
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    rate = RATES[int(rng.integers(len(RATES)))]
    scene = draw_scene(rng, NUM_FRAMES / float(rate), width / height, Wishes(split=split))
    times_s = [index / float(rate) for index in range(NUM_FRAMES)]
    encode(path, render_shot(scene, (width, height), times_s), Encoding(frame_rate=rate))
    return scene


def _main() -> None:
    parser = argparse.ArgumentParser(description="Write short films of the miniature world with answers about them.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the first film; the others count on from it")
    parser.add_argument("--num", type=int, default=12_000)
    parser.add_argument("--split", choices=("train", "held_out", "any"), default="train")
    args = parser.parse_args()
    make_answered(args.out, args.seed, args.num, args.split)


if __name__ == "__main__":
    _main()
