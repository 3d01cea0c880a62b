"""The child process that looks into files for `rushes verify`: `python -m trainer.sampling.inspector`."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from pipeline.media.container import open_container, select_stream
from pipeline.media.decode import Decoding
from pipeline.media.displayed import DisplayedCrop
from pipeline.media.planes import LumaReader
from pipeline.media.probe import probe_job
from pipeline.media.service import Job, serve
from pipeline.media.wire import Reply
from schemas.errors import ErrorKind, MediaError
from schemas.video import Probe
from trainer.sampling.watermark.carrier import grid_of, luma_of

Grid = npt.NDArray[np.float32]
_MAX_JSON_BYTES = 16 << 20


def grids_job(job: Job) -> Reply:
    """Serve `grids`: from `probe, max_frames` to two blobs, the luma of the first frames on the watermark's grid.

    First that of the picture as it is displayed, then that of the luma plane, which passes unchanged through programs
    that get the colour matrix wrong; both float32 (F, GRID, GRID), full range. The header has the numbers of the frames
    between which the codec makes others, as `anchors`.
    """
    assert job.fd is not None
    probe = Probe.from_json(job.args["probe"])
    displayed = DisplayedCrop(probe, (0, 0, probe.width, probe.height), probe.width, probe.height)
    reader = LumaReader()
    shown: list[Grid] = []
    planes: list[Grid] = []
    anchors: list[int] = []
    with open_container(job.fd, job.limits) as container:
        stream = select_stream(container, probe.stream_index, job.limits)
        max_frames = 1 if probe.is_image else job.args["max_frames"]
        for frame in Decoding(container, stream, job.limits, max_frames=max_frames, progress=job.progress):
            if frame.frame.pict_type != PictureType.B:
                anchors.append(len(shown))
            shown.append(grid_of(luma_of(displayed(frame.frame))))
            luma = reader.read(frame.frame)
            white = 255 if luma.black == 0 else 219
            plane = (luma.pixels.astype(np.float32) - luma.black) * (255 / (white * luma.step))
            planes.append(_oriented(grid_of(plane), probe))
    return Reply({"anchors": anchors}, [np.stack(grids).tobytes() for grids in (shown, planes) if grids])


def _oriented(grid: Grid, probe: Probe) -> Grid:
    """A grid as displayed: mirrored, then turned clockwise."""
    flipped = grid[:, ::-1] if probe.is_mirrored else grid
    return np.ascontiguousarray(np.rot90(flipped, -(probe.rotation_deg // 90)))


def credentials_job(job: Job) -> Reply:
    """Serve `credentials`: from `trust` (PEM, or none) to what the C2PA library says of a file.

    The answer's `report` is the library's own, null where the file has no manifest.

    Raises:
        MediaError: It has something like a manifest that cannot be read.
    """
    import c2pa

    assert job.fd is not None
    # Nothing may be fetched: a file would decide from where.
    verify = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}
    settings: dict[str, Any] = {"version": 1, "verify": verify}
    if job.args["trust"] is not None:
        settings["trust"] = {"trust_anchors": job.args["trust"]}
    with os.fdopen(os.dup(job.fd), "rb") as file:
        file.seek(0, io.SEEK_SET)
        try:
            reader = c2pa.Reader.try_create(None, file, context=c2pa.Context.from_dict(settings))
        except c2pa.C2paError.NotSupported:
            return Reply({"report": None}, [])
        except c2pa.C2paError as error:
            raise MediaError(ErrorKind.corrupt, str(error)) from error
        if reader is None:
            return Reply({"report": None}, [])
        with reader:
            report = reader.json()
    if len(report) > _MAX_JSON_BYTES:
        raise MediaError(ErrorKind.too_large, f"the manifest has {len(report):,} characters")
    return Reply({"report": json.loads(report)}, [])


if __name__ == "__main__":
    cv2.setNumThreads(1)
    serve({"probe": probe_job, "grids": grids_job, "credentials": credentials_job})
