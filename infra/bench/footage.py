"""Footage for measurements: drawn, or made from real files; each is made once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

Picture = npt.NDArray[np.uint8]

CODECS = {
    "h264": ("libx264", {"preset": "veryfast"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=0"}),
}
"""Encoder and options by codec."""
_BIT_RATE_1080P = 6_000_000
"""What cameras and sites use at 1080p and 24 to 30 frames a second."""


def once(path: Path, make: Callable[[Path], None]) -> Path:
    """The file, made now if it is not there yet; one that was not finished is never taken for one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{os.getpid()}-{path.name}")
        make(scratch)
        scratch.replace(path)
    return path


def drawn(seed: int, num_frames: int, width: int, height: int, shot_frames: int = 60) -> Iterator[Picture]:
    """Pictures of shots that are easy to tell apart: each a textured ground with a square that moves over it.

    Args:
        seed: Another seed gives another film.
        num_frames: How many pictures.
        width: In pixels.
        height: In pixels.
        shot_frames: A hard cut after so many.
    """
    side = max(2, height // 5)
    for start in range(0, num_frames, shot_frames):
        rng = np.random.default_rng([seed, start])
        coarse = rng.integers(0, 256, (4, 4, 3)) // 2 + rng.integers(0, 128, 3)
        ground = np.repeat(np.repeat(coarse, -(-height // 4), axis=0), -(-width // 4), axis=1)
        ground = ground[:height, :width].astype(np.uint8)
        colour = rng.integers(0, 256, 3, dtype=np.uint8)
        x, y = rng.integers(0, width - side), rng.integers(0, height - side)
        for index in range(min(shot_frames, num_frames - start)):
            picture = ground.copy()
            left = int(x + 2 * index) % (width - side)
            picture[y : y + side, left : left + side] = colour
            yield picture


def film(path: Path, *, seed: int, num_frames: int, width: int, height: int, rate: int = 25) -> None:
    """Write a drawn film as an MP4 file."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = _add_video(container, "h264", Fraction(rate), width, height)
        stream.thread_count = 1
        for picture in drawn(seed, num_frames, width, height):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def drawn_videos(
    folder: Path,
    count: int,
    *,
    num_frames: int = 120,
    width: int = 320,
    height: int = 180,
    num_variants: int = 6,
) -> Path:
    """The folder with so many small films in it, no two of the same content."""
    make = partial(film, num_frames=num_frames, width=width, height=height)
    variants = [
        once(folder.parent / f"{folder.name}-variants" / f"{seed}.mp4", partial(make, seed=seed))
        for seed in range(num_variants)
    ]
    return once(folder, partial(_number, variants, count))


def tiny_videos(folder: Path, count: int, *, num_variants: int = 50) -> Path:
    """The folder with so many videos of 32x32 pixels and 10 to 30 frames, no two of the same content."""
    variants = []
    for seed in range(num_variants):
        num_frames = 10 + seed * 20 // (num_variants - 1)
        make = partial(film, seed=seed, num_frames=num_frames, width=32, height=32, rate=5)
        variants.append(once(folder.parent / f"{folder.name}-variants" / f"{seed}.mp4", make))
    return once(folder, partial(_number, variants, count))


def _number(variants: Sequence[Path], count: int, folder: Path) -> None:
    """Fill a folder with copies, each with its number in a box at the end, which players skip."""
    contents = [path.read_bytes() for path in variants]
    for number in range(count):
        below = folder / f"{number // 1000:03}"
        below.mkdir(parents=True, exist_ok=True)
        box = (16).to_bytes(4) + b"free" + number.to_bytes(8)
        (below / f"{number:06}.mp4").write_bytes(contents[number % len(contents)] + box)


def upscaled(source: Path, path: Path, *, codec: str, seconds: float) -> None:
    """Write the first seconds of a video as 1920x1080, as a camera or a site would have encoded it."""
    with av.open(str(source)) as given, av.open(str(path), "w", format="mp4") as made:
        stream_in = given.streams.video[0]
        rate = stream_in.average_rate or Fraction(25)
        stream = _add_video(made, codec, rate, 1920, 1080)
        stream.bit_rate = _BIT_RATE_1080P
        for index, frame in enumerate(given.decode(stream_in)):
            if index >= seconds * rate:
                break
            picture = frame.reformat(1920, 1080, "yuv420p")
            picture.pts, picture.time_base = index, 1 / rate
            made.mux(stream.encode(picture))
        made.mux(stream.encode(None))


def films_1080p(footage: Path, cache: Path, *, seconds: float, num_sources: int = 3) -> list[Path]:
    """1080p files in H.264 and HEVC, made from files of the folder."""
    made = []
    for source in _sources(footage)[:num_sources]:
        for codec in CODECS:
            path = cache / f"{source.stem}-{codec}-{seconds:g}s-1080p.mp4"
            made.append(once(path, partial(upscaled, source, codec=codec, seconds=seconds)))
    return made


def repeated(source: Path, path: Path, *, seconds: float) -> None:
    """Write a video again and again, one after the other and without encoding it anew, up to a length."""
    with av.open(str(path), "w", format="mp4") as made:
        stream, shift = None, 0
        while True:
            with av.open(str(source)) as given:
                stream_in = given.streams.video[0]
                assert stream_in.time_base is not None
                assert stream_in.duration is not None
                if shift * stream_in.time_base >= seconds:
                    return
                stream = stream or made.add_stream_from_template(stream_in)
                for packet in given.demux(stream_in):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                    packet.stream = stream
                    made.mux(packet)
                shift += stream_in.duration


def _add_video(container: OutputContainer, codec: str, rate: Fraction, width: int, height: int) -> VideoStream:
    encoder, options = CODECS[codec]
    stream = container.add_stream(encoder, rate=rate, options=dict(options))
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    return stream


def _sources(footage: Path) -> list[Path]:
    """Files with a truth beside them and between 20 s and two minutes long, those with most detail first."""
    found = []
    for truth in sorted((footage / "truth").glob("*.cuts.json")):
        path = footage / truth.name.removesuffix(".cuts.json")
        with av.open(str(path)) as container:
            length = float(container.duration or 0) / av.time_base
        if 20 <= length <= 120:
            found.append((-path.stat().st_size / length, path))
    return [path for _, path in sorted(found)]
