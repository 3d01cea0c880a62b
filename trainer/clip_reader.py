"""A clip's frames as the autoencoder sees them: those of its bucket, at its bucket's size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.media import DecoderChild, MediaLimits, opened
from pipeline.media.excerpt import Excerpt
from schemas import ErrorKind, MediaError, Probe
from trainer.encode_inputs import BucketedClip

OpenSource = Callable[[str], AbstractContextManager[str]]
"""Gives a local path of a file by its uri, for the length of a block."""

PREPROCESS_VERSION = 1
"""Raised when the same clip and bucket give other pixels than before."""


@dataclass(frozen=True, slots=True)
class ClipFrames:
    """What is read of a clip."""

    pixels: npt.NDArray[np.uint8]
    """uint8 (frames, height, width, 3), RGB."""
    times_s: tuple[float, ...]
    """When each is shown, in seconds after the first."""


class BucketReader:
    """Reads clips, one after the other, in a child process that can be killed.

    For use by one thread at a time, and by another later on.

    Args:
        cell: One step of the buckets' grid (height, width), in pixels.
        limits: What a decoder may use.
    """

    def __init__(self, cell: tuple[int, int], limits: MediaLimits) -> None:
        self._cell = cell
        self._child = DecoderChild("trainer.decoder", limits)
        # A child ends with the thread that started it, so that thread is the reader's own.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bucket-decoder")

    def read(self, path: str, probe: Probe, clip: BucketedClip, *, from_start: bool = False) -> ClipFrames:
        """The frames of one clip.

        Args:
            path: The video's local file.
            probe: What is known of it.
            clip: Where the clip lies in it, and its bucket.
            from_start: Whether times had to be repaired in this video.

        Raises:
            MediaError: It cannot be read or decoded, or has fewer frames than its bucket takes.
        """
        bucket = clip.bucket
        resize = bucket.resize(clip.crop[3], clip.crop[2], self._cell)
        wanted = Excerpt(
            start_pts=clip.start_pts,
            end_pts=clip.end_pts,
            time_base=clip.time_base,
            choice="all",
            num_frames=bucket.frames,
            crop=clip.crop,
            width=bucket.width,
            height=bucket.height,
            from_start=from_start,
        )
        args = {
            "probe": probe.to_json(),
            "excerpt": wanted.to_json(),
            "step": bucket.frame_step,
            "size": [resize.height, resize.width],
            "place": [resize.crop_y, resize.crop_x],
        }
        with opened(path) as fd:
            reply = self._thread.submit(self._child.call, "clip", args, fd).result()
        return _frames(reply.header.get("times_s"), reply.blobs, clip)

    def close(self) -> None:
        """End the child."""
        self._child.close()
        self._thread.shutdown()


def _frames(times_s: Any, blobs: Sequence[Any], clip: BucketedClip) -> ClipFrames:
    """The child's answer, checked: it has read hostile video."""
    bucket = clip.bucket
    good = isinstance(times_s, list) and len(times_s) == len(blobs) > 0
    good = good and all(isinstance(time_s, float) and math.isfinite(time_s) for time_s in times_s)
    good = good and times_s[0] == 0 and all(before < after for before, after in pairwise(times_s))
    if not good or any(len(blob) != bucket.width * bucket.height * 3 for blob in blobs):
        raise MediaError(ErrorKind.decoder_crash, "the decoder's answer has not the pictures that were asked for")
    if len(blobs) != bucket.frames:
        raise MediaError(ErrorKind.changed, f"holds {len(blobs)} of the {bucket.frames} frames that its bucket takes")
    shape = (bucket.height, bucket.width, 3)
    return ClipFrames(np.stack([np.frombuffer(blob, np.uint8).reshape(shape) for blob in blobs]), tuple(times_s))
