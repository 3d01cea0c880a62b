"""The decoder's child process of the trainer: `python -m trainer.decoder`."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np

from pipeline.media.displayed import DisplayedCrop
from pipeline.media.excerpt import Excerpt, _span
from pipeline.media.service import Job, serve
from pipeline.media.wire import Reply
from schemas.errors import ErrorKind, MediaError
from schemas.video import Probe


def clip_job(job: Job) -> Reply:
    """Serve `clip`: from `probe, excerpt, step, size, place` to `{"times_s": [...]}` and a blob a frame.

    Every `step`-th frame of the excerpt's span is cut out at native size, brought to `size` (height, width) by
    averaging areas, and cut to the excerpt's own size from `place` (top, left) on: uint8 (H, W, 3), RGB. Times are in
    seconds after the first frame's.

    Raises:
        MediaError: The video cannot be decoded, or holds no frame of the span.
    """
    probe, wanted = Probe.from_json(job.args["probe"]), Excerpt.from_json(job.args["excerpt"])
    step, (high, wide), (top, left) = job.args["step"], job.args["size"], job.args["place"]
    native = DisplayedCrop(probe, wanted.crop, *wanted.crop[2:])
    times_s: list[float] = []
    pictures: list[bytes] = []
    first: int | None = None
    for frame in islice(_span(job, probe, wanted), 0, wanted.num_frames * step, step):
        first = frame.pts if first is None else first
        times_s.append(float((frame.pts - first) * wanted.time_base))
        picture = native(frame.frame)
        if picture.shape[:2] != (high, wide):
            picture = np.asarray(cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)
        pictures.append(picture[top : top + wanted.height, left : left + wanted.width].tobytes())
    if not pictures:
        raise MediaError(ErrorKind.changed, "holds no frame of the clip any more")
    return Reply({"times_s": times_s}, pictures)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    serve({"clip": clip_job})
