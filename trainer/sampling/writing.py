"""Frames as an MP4 or a PNG, whole or not at all, that says what it is: by its pixels, its metadata, a signature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from schemas import ConfigError
from trainer.sampling.config import ProvenanceConfig
from trainer.sampling.provenance import KEY, text_of, with_png_text
from trainer.sampling.request import Frames, Size
from trainer.sampling.signing import Signer, manifest_of
from trainer.sampling.watermark import mark

Picture = npt.NDArray[np.uint8]

VIDEO, PICTURE = ".mp4", ".png"
_BT709 = 1
"""Code point of matrix, primaries and transfer. Source: ITU-T H.273, tables 2 to 4."""
_THREADS = 4
"""Of x264, always the same: another number gives other bytes."""


def check_out(path: Path, size: Size | None = None) -> bool:
    """Whether a path is for a video; else it is for a picture.

    Args:
        path: Where to.
        size: Of the output, where it is known.

    Raises:
        ConfigError: Its ending is another one, its folder is not there, or an MP4 cannot have this size.
    """
    suffix = path.suffix.lower()
    if suffix not in (VIDEO, PICTURE):
        raise ConfigError(f"command line: --out ends in {VIDEO} or {PICTURE}, got {path.name}")
    if not path.parent.is_dir():
        raise ConfigError(f"command line: --out: there is no folder {path.parent}")
    if size is not None and suffix == VIDEO and (size.width % 2 or size.height % 2):
        even = f"{size.width + size.width % 2}x{size.height + size.height % 2}"
        raise ConfigError(f"an MP4 has even sides, got {size.width}x{size.height}; {even} is the next size")
    return suffix == VIDEO


class Output:
    """One MP4 or PNG, written as its frames come: marked, with its record in it, signed, whole or not at all.

    A context manager: left by an exception, it leaves nothing behind. Equal frames, rates and records give equal pixels
    and metadata; the signature is another one each time.

    Args:
        path: Ends in `.mp4`, or for one frame in `.png`.
        rate: Frames a second.
        crf: Of H.264.
        record: As `record_of` makes it.
        press: With what it is marked and signed; neither without it.
    """

    def __init__(
        self, path: Path, rate: Fraction, crf: int, record: Mapping[str, Any], press: Press | None = None
    ) -> None:
        self._path, self._record, self._press = path, record, press
        self._bare = path.with_name(f".{path.stem}.bare{path.suffix}")
        self._signed = path.with_name(f".{path.stem}.signed{path.suffix}")
        self._is_picture = path.suffix.lower() == PICTURE
        self._video = None if self._is_picture else _Video(self._bare, rate, crf, text_of(record))

    def add(self, frames: Frames) -> None:
        """Write the next frames, uint8 (F, H, W, 3), display RGB.

        Raises:
            ConfigError: They cannot be written.
        """
        pictures = iter(frames) if self._press is None else self._press.mark(frames)
        with self._told():
            for picture in pictures:
                if self._video is None:
                    self._bare.write_bytes(_png(picture, text_of(self._record)))
                else:
                    self._video.add(picture)

    def close(self) -> None:
        """Sign what was written and put it into its place.

        Raises:
            ConfigError: It cannot be written or signed.
        """
        with self._told():
            if self._video is not None:
                self._video.close()
            if self._press is not None:
                self._press.signer.sign(self._bare, self._signed, manifest_of(self._record, self._path.name))
                self._signed.replace(self._path)
            else:
                self._bare.replace(self._path)

    def discard(self) -> None:
        """Take away what is not in its place."""
        if self._video is not None:
            self._video.abandon()
        for path in (self._bare, self._signed):
            path.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be written: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.discard()


class Press:
    """With what the outputs of a run are marked and signed.

    Args:
        config: Whose mark and signature.

    Raises:
        ConfigError: The signer cannot sign.
    """

    def __init__(self, config: ProvenanceConfig) -> None:
        self.signer = Signer(config.signer)
        self._key = config.watermark_key if config.watermark else None

    def mark(self, frames: Iterable[Picture]) -> Iterator[Picture]:
        """The frames with the watermark in them, one by one; as they are where the config wants none."""
        return iter(frames) if self._key is None else mark(frames, self._key)


def write(
    path: Path, frames: Frames, rate: Fraction, crf: int, record: Mapping[str, Any], press: Press | None = None
) -> None:
    """Write frames that are all there; the arguments are those of `Output`.

    Raises:
        ConfigError: They cannot be written.
    """
    with Output(path, rate, crf, record, press) as output:
        output.add(frames)


def _png(frame: Picture, text: str) -> bytes:
    is_done, data = cv2.imencode(PICTURE, np.ascontiguousarray(frame[..., ::-1]))
    assert is_done
    return with_png_text(data.tobytes(), text)


class _Video:
    """H.264 in 4:2:0, BT.709, limited range; no date in the file, so that the same frames give the same bytes."""

    def __init__(self, path: Path, rate: Fraction, crf: int, text: str) -> None:
        self._path, self._rate, self._crf, self._text = path, rate, crf, text
        self._reformatter = VideoReformatter()
        self._output: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._count = 0

    def add(self, picture: Picture) -> None:
        """Encode a frame; the first one sets the size."""
        output, stream = self._opened(*picture.shape[:2])
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
        )
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._count += 1
        output.mux(stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds."""
        assert self._output is not None
        assert self._stream is not None
        self._output.mux(self._stream.encode(None))
        self.abandon()

    def abandon(self) -> None:
        """Close the file, whatever is in it."""
        if self._output is not None:
            self._output.close()
            self._output = None

    def _opened(self, height: int, width: int) -> tuple[OutputContainer, VideoStream]:
        if self._output is not None and self._stream is not None:
            return self._output, self._stream
        output = av.open(str(self._path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"})
        self._output = output
        output.metadata[KEY] = self._text
        options = {"crf": str(self._crf), "preset": "medium", "flags": "+bitexact"}
        stream = output.add_stream("libx264", self._rate, options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        context = stream.codec_context
        context.thread_count = _THREADS
        context.time_base = 1 / self._rate
        context.color_range = int(ColorRange.MPEG)
        context.colorspace = context.color_trc = context.color_primaries = _BT709
        self._stream = stream
        return output, stream
