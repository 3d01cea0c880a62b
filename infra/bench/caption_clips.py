"""The clips that captioning is measured on: films, their frames, and a model of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from captioner import CaptionInput, find_prompt
from captioner.config import FramesConfig
from captioner.engine import CaptionRequest, Window
from captioner.frames import ClipReader, ClipSpan
from captioner.random_start import RandomStartConfig, random_start
from infra.bench.footage import film, once
from pipeline.media import MediaLimits
from pipeline.media.container import open_container
from pipeline.media.probe import probe
from schemas import Probe, digest

_FILM_FRAMES = 1250
"""At 25 frames a second: ten clips of five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How large the measurement is."""

    num_clips: int = 128
    max_tokens: int = 64
    """That each answer has."""
    max_num_seqs: int = 32
    max_model_len: int = 1024
    width: int = 1024
    layers: int = 20
    dtype: str = "bfloat16"
    num_frames: int = 8
    max_pixels: int = 112 * 112
    clip_frames: int = 125
    """Of the film: five seconds."""
    film_size: tuple[int, int] = (640, 360)

    @property
    def name(self) -> str:
        """A name for its folder."""
        return f"{self.width}x{self.layers}-{self.num_clips}-{digest(asdict(self))[:8]}"

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Setting:
        """What `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "film_size": tuple(values["film_size"])})


def prepare_model(setting: Setting, out: Path) -> None:
    """Write the model's folder, and its number of parameters beside it."""
    texts = [find_prompt(name).text for name in ("short", "structured")] * 8
    shape = {"width": setting.width, "layers": setting.layers, "max_tokens": 4096}
    size = random_start(RandomStartConfig(**shape), texts, out)
    (out / "size.json").write_text(json.dumps(size))


def make_films(folder: Path, setting: Setting) -> list[Path]:
    """So many films as the clips take, made now if they are not there yet."""
    count = -(-setting.num_clips * setting.clip_frames // _FILM_FRAMES)
    width, height = setting.film_size
    makes: list[Callable[[Path], None]] = [
        partial(film, seed=seed, num_frames=_FILM_FRAMES, width=width, height=height) for seed in range(count)
    ]
    return [once(folder / f"{seed}.mp4", make) for seed, make in enumerate(makes)]


def store_frames(setting: Setting, films: Sequence[Path], out: Path) -> None:
    """Cut the frames of every clip, and note what is needed to cut them again."""
    reader = open_decoder(setting)
    windows, spans = [], []
    for path, probed, clip in _clips(setting, films):
        windows.append(reader.read(str(path), probed, clip))
        base = clip.time_base.as_integer_ratio()
        spans.append([str(path), json.dumps(probed.to_json()), clip.start_pts, clip.end_pts, *base, *clip.crop])
    reader.close()
    times = np.asarray([window.times_s for window in windows])
    frames = np.stack([window.frames for window in windows])
    with out.open("wb") as file:
        np.savez(file, frames=frames, times=times, spans=np.asarray(json.dumps(spans)))


def _clips(setting: Setting, films: Sequence[Path]) -> Iterator[tuple[Path, Probe, ClipSpan]]:
    """The films cut into clips of equal length."""
    count = 0
    for path in films:
        with open_container(path) as container:
            probed = probe(container)
            base = container.streams.video[0].time_base
            assert base is not None
            length = int(Fraction(setting.clip_frames, 25) / base)
            ends = int(container.streams.video[0].duration or 0)
        for start in range(0, ends - length + 1, length):
            if count == setting.num_clips:
                return
            crop = (0, 0, probed.width, probed.height)
            yield path, probed, _span(count, start, start + length, base, crop)
            count += 1


def _span(number: int, start: int, end: int, base: Fraction, crop: tuple[int, int, int, int]) -> ClipSpan:
    return ClipSpan(clip_id=f"{number:032x}", start_pts=start, end_pts=end, time_base=base, crop=crop)


def open_decoder(setting: Setting) -> ClipReader:
    """What cuts the frames of clips."""
    config = FramesConfig(num_frames=setting.num_frames, max_pixels=setting.max_pixels)
    return ClipReader(config, MediaLimits(), nullcontext)


class Stored:
    """The clips with their frames: also what the stage reads them by, where it is to decode nothing."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "frames.npz") as stored:
            self.windows = [
                Window(frames, tuple(times.tolist()))
                for frames, times in zip(stored["frames"], stored["times"], strict=True)
            ]
            self.spans: list[list[Any]] = json.loads(str(stored["spans"]))

    def requests(self, setting: Setting) -> list[CaptionRequest]:
        """A request a clip, as the stage makes them."""
        return [
            forced(CaptionRequest(request_id=str(k), prompt=find_prompt("short").text, window=window), setting)
            for k, window in enumerate(self.windows)
        ]

    def inputs(self) -> list[CaptionInput]:
        """A video a clip, so that results come all the time."""
        return [
            CaptionInput(
                video_id=f"{k:064x}",
                uri=uri,
                probe=probed,
                is_repaired=False,
                clips=json.dumps([[f"{k:032x}", *span]]),
                num_clips=1,
                seconds_a_clip=1.0,
            )
            for k, (uri, probed, *span) in enumerate(self.spans)
        ]

    def read(self, uri: str, probe: Probe, clip: ClipSpan, *, from_start: bool = False) -> Window:
        """The stored window of a clip."""
        return self.windows[int(clip.clip_id, 16)]

    def close(self) -> None:
        """Nothing is held."""


def forced(request: CaptionRequest, setting: Setting) -> CaptionRequest:
    """A request for exactly so many tokens, greedily and without a schema."""
    return replace(request, schema=None, temperature=0.0, max_tokens=setting.max_tokens, min_tokens=setting.max_tokens)
