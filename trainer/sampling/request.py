"""What a user asks for: one video or picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas import ConfigError
from trainer.sampling.config import SamplingConfig

Frames = npt.NDArray[np.uint8]
"""Display RGB, uint8 (F, H, W, 3)."""
_MAX_SEED = 2**63 - 1


class Mode(StrEnum):
    """What is done."""

    text = "text"
    """A video or a picture from a prompt."""
    shots = "shots"
    """A video of several shots, each from its own prompt."""
    image = "image"
    """A video that begins with a picture."""
    forward = "forward"
    """What comes after a clip."""
    backward = "backward"
    """What came before a clip."""
    both = "both"
    """What came before a clip, and what comes after it."""
    connect = "connect"
    """What lies between two clips."""
    loop = "loop"
    """A video without end, from a prompt or from a clip."""
    edit = "edit"
    """The same clip under another prompt."""
    inpaint = "inpaint"
    """Another thing in a part of a clip."""


NUM_CLIPS = {Mode.text: (0,), Mode.shots: (0, 1), Mode.loop: (0, 1), Mode.connect: (2,)}
"""How many clips a mode takes; one where it is not listed."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read `WIDTHxHEIGHT`.

        Raises:
            ConfigError: It is none.
        """
        found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text, re.ASCII)
        if found is None:
            raise ConfigError(f"command line: --size is WIDTHxHEIGHT in pixels, as 1280x720, got {text[:40]!r}")
        return cls(int(found[1]), int(found[2]))


class Region(NamedTuple):
    """A part of a clip."""

    x: int
    """Its left edge, in pixels."""
    y: int
    width: int
    height: int
    start_s: float = 0.0
    end_s: float | None = None
    """None for the end of the clip."""

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read `X,Y,WIDTHxHEIGHT`, with `@START-END` in seconds behind it where it is not for the whole length.

        Raises:
            ConfigError: It is none.
        """
        number = r"(\d{1,6}(?:\.\d{1,6})?)"
        pattern = rf"(\d{{1,6}}),(\d{{1,6}}),(\d{{1,6}})x(\d{{1,6}})(?:@{number}-{number})?"
        found = re.fullmatch(pattern, text, re.ASCII)
        if found is None:
            raise ConfigError(
                f"command line: --inpaint is X,Y,WIDTHxHEIGHT or X,Y,WIDTHxHEIGHT@START-END, got {text[:60]!r}"
            )
        x, y, width, height = (int(part) for part in found.groups()[:4])
        if found[5] is None:
            return cls(x, y, width, height)
        return cls(x, y, width, height, float(found[5]), float(found[6]))


@dataclass(frozen=True, slots=True)
class Shot:
    """One of several shots of a video."""

    prompt: str
    num_frames: int
    is_cut: bool = False
    """Whether it begins anew; else it goes on from the last frames of the shot before, with what they show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One video or picture."""

    prompt: str
    size: Size
    num_frames: int = 1
    """Of the whole video; of what is added, where a clip is extended or connected or its loop is closed; of no meaning
    where a clip is edited."""
    seed: int = 0
    mode: Mode = Mode.text
    clips: tuple[Frames, ...] = ()
    """What is given, of `size`, at the config's frame rate."""
    strength: float = 0.6
    """Of `edit`: how far back into the noise, in (0, 1]."""
    region: Region | None = None
    """Of `inpaint`."""
    variation: float = 0.0
    """How far from the seed's own noise towards that of `variation_seed`, in [0, 1]."""
    variation_seed: int = 0
    shots: tuple[Shot, ...] = ()
    """Of `shots`, in order; together they have `num_frames`."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """All that are read."""
        return tuple(shot.prompt for shot in self.shots) or (self.prompt,)


def check(request: Request, config: SamplingConfig) -> None:
    """Refuse what cannot be made.

    Raises:
        ConfigError: Something is out of range, missing or too much.
    """
    for prompt in request.prompts:
        check_prompt(prompt, config)
    _check_shots(request)
    check_size(request.size, config)
    for name, seed in (("seed", request.seed), ("variation seed", request.variation_seed)):
        if not 0 <= seed <= _MAX_SEED:
            raise ConfigError(f"the {name} lies in 0 to {_MAX_SEED}, got {seed}")
    for name, value in (("strength", request.strength), ("variation", request.variation)):
        low_is_in = name == "variation"
        if not (0 < value <= 1 or (low_is_in and value == 0)):
            raise ConfigError(f"the {name} lies in {'[' if low_is_in else '('}0, 1], got {value:g}")
    if not 1 <= request.num_frames <= config.frames(config.max_seconds):
        raise ConfigError(
            f"a video has 1 frame to {config.max_seconds:g} s (max_seconds), "
            f"got {request.num_frames} frames of {config.frame_rate:g} a second"
        )
    if request.mode is Mode.image and request.num_frames < 2:
        raise ConfigError(
            "a video that begins with a picture has at least 2 frames; a picture under another prompt is an edit"
        )
    _check_clips(request)


def check_prompt(prompt: str, config: SamplingConfig) -> None:
    """Refuse a prompt that says nothing, or more than any text encoder reads.

    Raises:
        ConfigError: It is one of these.
    """
    if not prompt.strip():
        raise ConfigError("the prompt is empty")
    size = len(prompt.encode("utf-8", "surrogatepass"))
    if size > config.max_prompt_bytes:
        raise ConfigError(f"the prompt has {size:,} bytes, more than max_prompt_bytes, {config.max_prompt_bytes:,}")


def _check_shots(request: Request) -> None:
    if (request.mode is Mode.shots) != bool(request.shots):
        raise ConfigError("a list of shots holds at least one, and nothing else takes one")
    if any(shot.num_frames < 1 for shot in request.shots):
        raise ConfigError("a shot has at least one frame")
    if request.shots and sum(shot.num_frames for shot in request.shots) != request.num_frames:
        raise ValueError(f"{request.num_frames=} is not the sum of {request.shots=}")


def check_size(size: Size, config: SamplingConfig) -> None:
    """Refuse a size that is too small or too large.

    Raises:
        ConfigError: It is.
    """
    if min(size) < config.min_side or max(size) > config.max_side:
        raise ConfigError(
            f"sides lie in {config.min_side} to {config.max_side} pixels (min_side, max_side), "
            f"got {size.width}x{size.height}"
        )


def _check_clips(request: Request) -> None:
    allowed = NUM_CLIPS.get(request.mode, (1,))
    if len(request.clips) not in allowed:
        raise ConfigError(f"{request.mode} takes {' or '.join(map(str, allowed))} clips, got {len(request.clips)}")
    for clip in request.clips:
        if clip.shape[1:] != (request.size.height, request.size.width, 3):
            raise ValueError(f"a clip of {clip.shape} is not of {request.size}")
    if (request.mode is Mode.inpaint) != (request.region is not None):
        raise ConfigError("inpaint needs a region, and nothing else takes one")
    if request.region is not None:
        _check_region(request.region, request.size)


def _check_region(region: Region, size: Size) -> None:
    x, y, width, height, start_s, end_s = region
    is_inside = x + width <= size.width and y + height <= size.height
    if not (width and height and is_inside) or (end_s is not None and not start_s < end_s):
        when = f"@{start_s:g}-{end_s:g}" if end_s is not None else ""
        raise ConfigError(
            f"the region {x},{y},{width}x{height}{when} is empty or reaches beyond the {size.width}x{size.height} clip"
        )
