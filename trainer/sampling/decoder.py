"""The decoder's child process of the sampler: `python -m trainer.sampling.decoder`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np

from pipeline.media.container import open_container, select_stream
from pipeline.media.decode import Decoding
from pipeline.media.displayed import DisplayedCrop
from pipeline.media.probe import probe_job
from pipeline.media.service import Job, serve
from pipeline.media.wire import Reply
from schemas.errors import ErrorKind, MediaError
from schemas.video import Probe


def frames_job(job: Job) -> Reply:
    """Serve `frames`: from `probe, rate, max_frames, crop, size, canvas` to a blob a frame, uint8 (H, W, 3).

    The frames on the screen at `0, 1 / rate, 2 / rate, …` seconds after the first one. Each is cut to `crop` (x, y,
    width, height as displayed), brought to `size` (width, height), and put into the middle of a black `canvas` (width,
    height).

    Raises:
        MediaError: The video cannot be decoded, or has more than `max_frames` of them.
    """
    assert job.fd is not None
    probe = Probe.from_json(job.args["probe"])
    crop, (wide, high), canvas = tuple(job.args["crop"]), job.args["size"], job.args["canvas"]
    displayed = DisplayedCrop(probe, crop, *crop[2:])
    pictures: list[bytes] = []
    with open_container(job.fd, job.limits) as container:
        stream = select_stream(container, probe.stream_index, job.limits)
        decoding = Decoding(
            container, stream, job.limits, max_frames=1 if probe.is_image else None, progress=job.progress
        )
        for picture, times in _shown(decoding, displayed, Fraction(*job.args["rate"]), probe.is_image):
            if len(pictures) + times > job.args["max_frames"]:
                raise MediaError(ErrorKind.too_large, f"is longer than {job.args['max_frames']} frames")
            if times:
                pictures += [_placed(picture, (wide, high), tuple(canvas)).tobytes()] * times
    return Reply({}, pictures)


def _shown(
    decoding: Decoding, displayed: DisplayedCrop, rate: Fraction, is_image: bool
) -> Iterator[tuple[np.ndarray, int]]:
    """Each frame that is on the screen at one of the moments, and at how many."""
    first: int | None = None
    done = 0
    for frame in decoding:
        first = frame.pts if first is None else first
        # Half a moment is rounded up, so that a clip at this very rate gives each of its frames once.
        end = (frame.pts + frame.duration - first) * decoding.time_base * rate
        until = 1 if is_image else max(done, int(end + Fraction(1, 2)))
        if until > done or first == frame.pts:
            until = max(until, 1)
            yield displayed(frame.frame), until - done
            done = until


def _placed(picture: np.ndarray, size: tuple[int, int], canvas: tuple[int, int]) -> np.ndarray:
    if picture.shape[1::-1] != size:
        how = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_CUBIC
        picture = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
    if size == canvas:
        return picture
    left, top = (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2
    placed = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    placed[top : top + size[1], left : left + size[0]] = picture
    return placed


def metadata_job(job: Job) -> Reply:
    """Serve `metadata`: what a container says of itself, cut to what a record of ours may need."""
    assert job.fd is not None
    with open_container(job.fd, job.limits) as container:
        return Reply({str(key): str(value)[: 1 << 20] for key, value in list(container.metadata.items())[:256]})


if __name__ == "__main__":
    cv2.setNumThreads(1)
    serve({"probe": probe_job, "frames": frames_job, "metadata": metadata_job})
