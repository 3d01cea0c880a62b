"""Sampling: mixed sizes in one pack against one by one, and the memory of long videos and of large pictures."""

from __future__ import annotations

import shutil
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from infra.bench.made_model import make_model
from infra.bench.processes import Marked, rss_bytes, rushes, sampled
from infra.bench.table import Figure
from infra.demo.weights import CLIP_WEIGHTS

_MODEL = {"size": None, "depth": 4, "width": 256, "heads": 4}
_SIZES = ((64, 64), (96, 64), (64, 96), (128, 64), (64, 128), (96, 96))
"""Width and height in pixels."""
_FRAMES = (1, 9, 17)
_REPEAT = 3
_LONG_S, _SHORT_S = 60, 10
_LARGE, _TILE_PX = "2048x2048", 512
"""A picture, and the sides of the tiles that it is decoded in."""
_RUN_S = 1800.0


def measure(cache: Path) -> list[Figure]:
    """Both figures, of a model that has learnt nothing.

    Args:
        cache: Where the model and the outputs go.
    """
    folder = cache / "sampling"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_model(folder, _MODEL)
    together_s, apart_s = _packed_and_alone(folder)
    low, high = (_of_video(folder, seconds) for seconds in (_SHORT_S, _LONG_S))
    in_tiles, whole = (_of_picture(folder, tile_px) for tile_px in (_TILE_PX, 0))
    num = len(_SIZES) * len(_FRAMES)
    return [
        Figure(name=f"{num} outputs of mixed sizes, one by one over packed", value=apart_s / together_s),
        Figure(name=f"{_SHORT_S} s of video: highest memory", value=low / 2**20, unit="MiB"),
        Figure(name=f"{_LONG_S} s of video: highest memory", value=high / 2**20, unit="MiB"),
        Figure(name="memory of the long over the short video", value=high / low, at_most=1.2),
        Figure(name=f"picture of {_LARGE}, decoded in tiles: highest memory", value=in_tiles / 2**20, unit="MiB"),
        Figure(name=f"picture of {_LARGE}, decoded whole: highest memory", value=whole / 2**20, unit="MiB"),
        Figure(name="memory of the picture in tiles over whole", value=in_tiles / whole, at_most=1.0),
    ]


def values_of(folder: Path) -> dict[str, Any]:
    """A config for the made model."""
    return {
        "model": str(folder / "model-video"),
        "autoencoder": {"model": str(folder / "video")},
        "text_encoder": {"model": str(CLIP_WEIGHTS.parent)},
        "frame_rate": 8.0,
        "window_s": 4.0,
        "context_s": 1.0,
        "loop_s": 0.5,
        "solver": {"steps": 8},
        "guidance": {"text": 4.0},
        "threads": 2,
    }


def _packed_and_alone(folder: Path) -> tuple[float, float]:
    """Seconds for all requests in one pack, and for one after the other: medians."""
    from trainer.sampling import Request, SamplingConfig, Size, find_model
    from trainer.sampling.sampler import Sampler

    before = torch.get_num_threads()
    config = SamplingConfig.model_validate(values_of(folder))
    sampler = Sampler(config, find_model(config))
    requests = [
        Request(prompt="a small red circle moves to the left", size=Size(*size), num_frames=frames, seed=number)
        for number, (size, frames) in enumerate((size, frames) for size in _SIZES for frames in _FRAMES)
    ]
    packed, alone = [], []
    for _ in range(_REPEAT):
        started = time.perf_counter()
        sampler.sample(requests)
        packed.append(time.perf_counter() - started)
        started = time.perf_counter()
        for request in requests:
            sampler.sample([request])
        alone.append(time.perf_counter() - started)
    torch.set_num_threads(before)
    return statistics.median(packed), statistics.median(alone)


def _of_video(folder: Path, seconds: int) -> float:
    """The highest memory of the command that makes a video of so many seconds."""
    return _peak_bytes(folder, {"frame_rate": 24.0}, f"{seconds}.mp4", "--size", "128x96", "--seconds", str(seconds))


def _of_picture(folder: Path, tile_px: int) -> float:
    """The highest memory of the command that makes a large picture, decoded in tiles or, with 0, in one piece."""
    changes = {"autoencoder": {"model": str(folder / "video"), "tile_px": tile_px}}
    return _peak_bytes(folder, changes, f"{tile_px}.png", "--size", _LARGE)


def _peak_bytes(folder: Path, changes: dict[str, Any], out: str, *options: str) -> float:
    """The highest memory of `rushes sample` in two steps and without guidance."""
    path = folder / "peak.yaml"
    quick = {"solver": {"steps": 2}, "guidance": {"text": 1.0}}
    path.write_text(yaml.safe_dump({**values_of(folder), **quick, **changes}))
    prompt = ("--prompt", "a small red circle moves to the left")
    command = rushes("sample", str(path), *prompt, *options, "--out", str(folder / out))
    with (
        Marked(command, folder / "cwd") as run,
        sampled(partial(rss_bytes, run.process.pid, "VmHWM"), every_s=0.2) as peak,
    ):
        run.finish(_RUN_S)
    return peak[0]
