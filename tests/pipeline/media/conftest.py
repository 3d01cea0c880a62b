"""Small films of every kind, encoded on the spot."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.media.container import quiet

MakeFilm = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    quiet()


def picture(index: int, width: int, height: int) -> av.VideoFrame:
    """A picture in motion: a gradient that drifts, and a bright square on its way."""
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([(x + 3 * index) % 256, (2 * y + index) % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    left = (5 * index) % max(1, width - 8)
    rgb[4:12, left : left + 8] = 255
    return av.VideoFrame.from_ndarray(rgb, format="rgb24")


@pytest.fixture(scope="session")
def make_film(tmp_path_factory: pytest.TempPathFactory) -> MakeFilm:
    """Encode a film and give its path; `times` are frame times in units of `1/rate`."""
    folder = tmp_path_factory.mktemp("films")

    def make(
        name: str,
        codec: str = "libx264",
        *,
        frames: int = 10,
        size: tuple[int, int] = (64, 48),
        pixels: str = "yuv420p",
        rate: int = 25,
        times: list[int] | None = None,
        container: str | None = None,
        aspect: Fraction | None = None,
        codec_options: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = folder / name
        with av.open(str(path), "w", format=container, options=options or {}) as output:
            stream: Any = output.add_stream(codec, rate=rate, options=codec_options or {})
            stream.width, stream.height = size
            stream.pix_fmt = pixels
            stream.codec_context.thread_count = 1
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            for index, time in enumerate(times or range(frames)):
                frame = picture(index, *size).reformat(format=pixels)
                frame.pts = time
                frame.time_base = Fraction(1, rate)
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        return path

    return make
