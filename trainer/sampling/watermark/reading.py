"""Look for the watermark in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.media import DecoderChild, MediaLimits, opened
from schemas import ErrorKind, MediaError
from trainer.sampling.watermark.carrier import GRID
from trainer.sampling.watermark.detection import Evidence, look_for_mark

MAX_FRAMES = 300
"""Of a video so many are looked at, the first ones."""


def look_into(path: Path, key: str) -> Evidence:
    """Look for a key's mark in the first frames of a file, which is taken for hostile.

    Args:
        path: A video or a picture.
        key: Whose mark it is.

    Raises:
        MediaError: It cannot be decoded.
    """
    limits = MediaLimits()
    child = DecoderChild("trainer.sampling.inspector", limits)
    try:
        with opened(str(path)) as fd:
            probe = child.call("probe", {}, fd, job_s=limits.probe_s).header
            reply = child.call("grids", {"probe": dict(probe), "max_frames": MAX_FRAMES}, fd)
    finally:
        child.close()
    size, blobs = GRID * GRID * 4, reply.blobs
    if not blobs or any(len(blob) % size or not len(blob) for blob in blobs):
        raise MediaError(ErrorKind.decoder_crash, "the decoder's answer has not the frames that were asked for")
    views = [np.frombuffer(blob, np.float32).reshape(-1, GRID, GRID) for blob in blobs]
    if not all(np.isfinite(view).all() for view in views):
        raise MediaError(ErrorKind.decoder_crash, "the decoder's answer has frames that are no numbers")
    anchors = np.isin(np.arange(len(views[0])), reply.header["anchors"])
    return look_for_mark(views, key, anchors)
