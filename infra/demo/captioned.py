"""Short films of one scene each with their captions beside them: what the world's small models learn from.

A film of the world has several shots and so no caption that is true of all; these have one shot, a few frames
and a sidecar, and cost about a tenth of a second each.
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from infra.demo.captions import caption
from infra.demo.described import describe
from infra.demo.draw import Wishes, draw_scene
from infra.demo.encode import Encoding, encode
from infra.demo.render import render_shot
from infra.demo.scene import Scene
from infra.demo.world import FOOTAGE_FOLDER

SIZES = ((256, 144), (256, 144), (144, 256), (208, 156), (160, 160))
"""Width and height in pixels; a film has one of them, most often 16:9."""
NUM_FRAMES = 6
RATE = Fraction(3)
"""Frames a second: far apart, since only a few pictures of each clip are looked at."""
CAPTIONED_FILE = "captioned.json"
ANSWERS_FILE = "answers.jsonl"
_DEMO_RATE = Fraction(15)
"""Of films that are also looked at for motion."""
_DEMO_SEED = 9_000_000
"""Far from those that the shipped CLIP has learnt from."""


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
    for number in range(seed, seed + num):
        path = out / f"scene_{number:07}.mp4"
        path.with_suffix(".txt").write_text(_write_film(path, number, split, RATE)[1], encoding="utf-8")


def add_captioned(out: Path | str, seed: int, num: int = 48) -> dict[str, bool]:
    """Put captioned films beside those of a world; every second one has the caption of another.

    They show combinations that are held out, in scenes from which the shipped CLIP has not learnt.

    Args:
        out: Where `make_world` put the world.
        seed: Of the world.
        num: How many films, at least 4.

    Returns:
        Whether a film's caption is its own, by the name of the file; also in `out/captioned.json`. What a captioner
        should answer about each is written to `out/answers.jsonl`.
    """
    footage = Path(out) / FOOTAGE_FOLDER
    footage.mkdir(parents=True, exist_ok=True)
    paths = [footage / f"captioned_{number:02}.mp4" for number in range(num)]
    scenes, texts = [], []
    for number, path in enumerate(paths):
        scene, text = _write_film(path, _DEMO_SEED + seed * 1000 + number, "held_out", _DEMO_RATE)
        scenes.append(scene)
        texts.append(text)
    with (Path(out) / ANSWERS_FILE).open("w", encoding="utf-8") as answers:
        for path, scene in zip(paths, scenes, strict=True):
            answers.write(json.dumps(describe(scene).to_json(path.name)) + "\n")
    texts[1::2] = [*texts[3::2], texts[1]]
    for path, text in zip(paths, texts, strict=True):
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
    is_true = {path.name: number % 2 == 0 for number, path in enumerate(paths)}
    (Path(out) / CAPTIONED_FILE).write_text(json.dumps(is_true, indent=1) + "\n")
    return is_true


def _write_film(path: Path, seed: int, split: str, rate: Fraction) -> tuple[Scene, str]:
    """Write a film of a drawn scene; give the scene and its caption."""
    scene, size, text = draw_captioned(seed, split)
    times_s = [index / float(rate) for index in range(round(NUM_FRAMES / RATE * rate))]
    encode(path, render_shot(scene, size, times_s), Encoding(frame_rate=rate))
    return scene, text


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
