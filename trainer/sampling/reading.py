"""Pictures and videos that are given, read by a guarded decoder and brought to the size that is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.media import DecoderChild, MediaLimits, opened
from schemas import ConfigError, ErrorKind, MediaError, Probe
from trainer.sampling.request import Frames, Size


@dataclass(frozen=True, slots=True)
class Placing:
    """How a picture gets to a size: cut, resized, put on a canvas of that size."""

    crop: tuple[int, int, int, int]
    """x, y, width, height of what is kept."""
    size: Size
    """To which it is brought."""


def placing(native: Size, wanted: Size, fit: Literal["crop", "fit"]) -> Placing:
    """Where a picture comes to lie.

    Args:
        native: As displayed.
        wanted: Of the canvas.
        fit: `crop` fills it and cuts off what is too much, as much on both sides; `fit` shows all of it.
    """
    if fit == "crop":
        # Of the native picture the largest part that has the wanted aspect.
        scale = min(Fraction(native.width, wanted.width), Fraction(native.height, wanted.height))
        width, height = (max(1, round(side * scale)) for side in wanted)
        width, height = min(width, native.width), min(height, native.height)
        crop = ((native.width - width) // 2, (native.height - height) // 2, width, height)
        return Placing(crop, wanted)
    scale = min(Fraction(wanted.width, native.width), Fraction(wanted.height, native.height))
    size = Size(*(min(most, max(1, round(side * scale))) for side, most in zip(native, wanted, strict=True)))
    return Placing((0, 0, *native), size)


def probe_media(path: Path) -> Probe:
    """What a file holds.

    Raises:
        ConfigError: It cannot be read, or is no picture and no video.
    """
    limits = MediaLimits()
    with _decoder(limits) as child, _told(path), opened(str(path)) as fd:
        return Probe.from_json(dict(child.call("probe", {}, fd, job_s=limits.probe_s).header))


def read_media(
    path: Path, probe: Probe, size: Size, rate: Fraction, max_frames: int, fit: Literal["crop", "fit"]
) -> Frames:
    """The frames of a file at a size and a rate, uint8 (F, H, W, 3).

    Args:
        path: A picture or a video.
        probe: What is known of it.
        size: To which they are brought.
        rate: Frames a second; of a picture there is one.
        max_frames: Of which more are refused.
        fit: What becomes of another aspect.

    Raises:
        ConfigError: It cannot be decoded, or is longer.
    """
    place = placing(Size(probe.width, probe.height), size, fit)
    args = {
        "probe": probe.to_json(),
        "rate": list(rate.as_integer_ratio()),
        "max_frames": max_frames,
        "crop": list(place.crop),
        "size": list(place.size),
        "canvas": list(size),
    }
    limits = MediaLimits()
    # The child answers with all frames at once.
    is_unknown = probe.duration_s is None and not probe.is_image
    expected = max_frames if is_unknown else min(max_frames, int((probe.duration_s or 0) * rate) + 2)
    num_bytes = expected * size.width * size.height * 3
    limits = replace(
        limits,
        memory_bytes=limits.memory_bytes + 2 * num_bytes,
        max_reply_bytes=max(limits.max_reply_bytes, 2 * num_bytes),
    )
    with _decoder(limits) as child, _told(path), opened(str(path)) as fd:
        blobs = child.call("frames", args, fd).blobs
        if not blobs or any(len(blob) != size.width * size.height * 3 for blob in blobs):
            raise MediaError(ErrorKind.decoder_crash, "the decoder's answer has not the pictures that were asked for")
    return np.stack([np.frombuffer(blob, np.uint8).reshape(size.height, size.width, 3) for blob in blobs])


def media_metadata(path: Path) -> dict[str, Any]:
    """What a container says of itself.

    Raises:
        ConfigError: It cannot be read, or is no picture and no video.
    """
    limits = MediaLimits()
    with _decoder(limits) as child, _told(path), opened(str(path)) as fd:
        return dict(child.call("metadata", {}, fd, job_s=limits.probe_s).header)


@contextmanager
def _decoder(limits: MediaLimits) -> Iterator[DecoderChild]:
    child = DecoderChild("trainer.sampling.decoder", limits)
    try:
        yield child
    finally:
        child.close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What is wrong with a file is the user's mistake here."""
    try:
        yield
    except MediaError as error:
        raise ConfigError(f"{path}: {error}") from error
