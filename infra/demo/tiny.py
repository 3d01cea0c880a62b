"""A very small film with known cuts, for tests: made in a few hundredths of a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from infra.demo.encode import Encoding, Image, encode
from infra.demo.transitions import bordered, mix
from infra.demo.truth import Cut, FilmTruth, shots_between

VFR_TIME_BASE = Fraction(1, 90_000)
VFR_STEPS = (1.0, 1.0, 0.5, 1.5, 2.0, 1.0)
"""Lengths of successive frames of a film of varying rate, over the nominal one."""


def tiny_film(
    path: Path | str,
    *,
    num_frames: int = 60,
    cuts: Sequence[int | Cut] = (20, 40),
    size: tuple[int, int] = (192, 108),
    fps: Fraction | int = 25,
    codec: str = "libx264",
    vfr: bool = False,
    motion: bool = True,
    border: tuple[int, int] = (0, 0),
    seed: int = 0,
    encoding: Encoding | None = None,
) -> FilmTruth:
    """Write a film of plain moving textures, one a shot.

    Args:
        path: Where to; the ending names the container.
        num_frames: Of the whole film.
        cuts: Hard cuts as the first frame of each new shot, or any `Cut`.
        size: Width and height as displayed, in pixels.
        fps: Frames a second; the mean one where `vfr`.
        codec: FFmpeg's encoder.
        vfr: Give the frames unequal lengths.
        motion: Whether textures move; a frame repeats the one before otherwise.
        border: Black columns at each side and black rows at top and bottom, in pixels.
        seed: Of the textures.
        encoding: All else; `fps` and `codec` are put into it.

    Returns:
        The truth; its shots have no captions.
    """
    rate = Fraction(fps)
    encoding = replace(encoding or Encoding(), frame_rate=rate, codec=codec)
    events = tuple(Cut.hard(cut) if isinstance(cut, int) else cut for cut in cuts)
    pts = None
    if vfr:
        encoding = replace(encoding, time_base=VFR_TIME_BASE)
        pts = vfr_ticks(num_frames, rate)
    frames = tiny_frames(num_frames, events, size, motion=motion, border=border, seed=seed)
    encode(path, frames, encoding, pts=pts)
    times_s = [tick * float(VFR_TIME_BASE) for tick in pts] if pts else [i / float(rate) for i in range(num_frames)]
    end_s = times_s[-1] + (times_s[-1] - times_s[-2] if num_frames > 1 else 1 / float(rate))
    return FilmTruth(
        video=Path(path).name,
        num_frames=num_frames,
        width=size[0],
        height=size[1],
        frame_rate=rate,
        codec=codec,
        is_vfr=vfr,
        rotation_deg=encoding.rotation_deg,
        cuts=events,
        shots=shots_between(events, num_frames, times_s, end_s),
        seed=seed,
    )


def vfr_ticks(num_frames: int, rate: Fraction) -> list[int]:
    """Times of frames of unequal length, in `VFR_TIME_BASE`, about `rate` a second on average."""
    nominal = 1 / (rate * VFR_TIME_BASE)
    mean = sum(VFR_STEPS) / len(VFR_STEPS)
    ticks = [0]
    for index in range(num_frames - 1):
        ticks.append(ticks[-1] + max(1, round(float(nominal) * VFR_STEPS[index % len(VFR_STEPS)] / mean)))
    return ticks


def tiny_frames(
    num_frames: int,
    cuts: Sequence[Cut],
    size: tuple[int, int],
    *,
    motion: bool = True,
    border: tuple[int, int] = (0, 0),
    seed: int = 0,
) -> Iterator[Image]:
    """The pictures of `tiny_film`, (H, W, 3) uint8 RGB."""
    width, height = size
    side, top = border
    inner = (width - 2 * side, height - 2 * top)
    textures = [_texture(seed * 1000 + number, inner) for number in range(len(cuts) + 1)]
    for index in range(num_frames):
        step = index if motion else 0
        number = sum(index >= cut.end for cut in cuts)
        picture = _shifted(textures[number], step, inner)
        cut = cuts[number] if number < len(cuts) else None
        if cut is not None and cut.start <= index < cut.end:
            progress = (index - cut.start + 1) / (cut.end - cut.start + 1)
            picture = mix(picture, _shifted(textures[number + 1], step, inner), progress, cut.kind, cut.detail)
        yield bordered(picture, side, top)


def _texture(seed: int, size: tuple[int, int]) -> Image:
    """A coloured, cloudy picture larger than the frame, unlike those of other seeds."""
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 216, 3)
    base[seed % 3] = (30, 230)[seed // 3 % 2]
    coarse = rng.normal(0, 45, (8, 10, 3)) + base
    fine = cv2.resize(rng.normal(0, 12, (40, 56)), (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_LINEAR)
    cloud = cv2.resize(coarse, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(cloud + fine[..., None], 0, 255), np.uint8)


def _shifted(texture: Image, step: int, size: tuple[int, int]) -> Image:
    """The window of a texture after `step` frames: it slides to and fro, two pixels a frame."""
    width, height = size
    x = width - abs(2 * step % (2 * width) - width)
    return np.ascontiguousarray(texture[height // 2 : height // 2 + height, x : x + width])
