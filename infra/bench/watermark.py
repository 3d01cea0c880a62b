"""How well the watermark is found after a re-encoding at half the size, how seldom without it, how little it shows."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from infra.bench.footage import once
from infra.bench.table import Figure
from infra.demo.film import make_film
from trainer.sampling.provenance import record_of
from trainer.sampling.watermark import Evidence, grids_of, look_for_mark, mark
from trainer.sampling.watermark.reading import look_into
from trainer.sampling.writing import write

Frames = npt.NDArray[np.uint8]

SIDES = (64, 96, 128, 192, 256, 384, 512)
"""Shorter sides of what is marked, in pixels; of what is looked at, half of that."""
GUARANTEED_PX = 256
LEAST_FOUND = 0.98
LEAST_UNMARKED = 300
KEY = "bench"
RATE = Fraction(24)
WORLD_FILMS = 24
_WORLD_SEED = 88_000
_STEP_S = 1.5
"""Clips of one second begin so far apart."""
_MOST_A_FILE = 8
_MARKED = (0, 3)
"""Of a file's clips, those that are marked; the others are only looked at."""
_CURVE_EVERY = 3
"""Of so many files one is marked at every size."""
_MOST_FRAMES = 30


@dataclass(frozen=True, slots=True)
class Clip:
    """One second of a video, at its own size where that is not too large."""

    kind: str
    """`footage` or `world`."""
    frames: Frames
    """uint8 (F, H, W, 3), display RGB."""

    def at(self, side: int) -> Frames:
        """Brought to a shorter side, with even sides."""
        height, width = self.frames.shape[1:3]
        scale = side / min(height, width)
        size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return np.stack([cv2.resize(frame, size, interpolation=how) for frame in self.frames])


def measure(
    footage: Path,
    cache: Path,
    sides: Sequence[int] = SIDES,
    most_files: int | None = None,
    num_films: int = WORLD_FILMS,
) -> list[Figure]:
    """The figures for `python -m infra.bench`.

    Args:
        footage: Real videos.
        cache: Films and files that are looked at go there.
        sides: Shorter sides of what is marked.
        most_files: Of the footage, all without it.
        num_films: Of the world.
    """
    folder = cache / "watermark"
    folder.mkdir(parents=True, exist_ok=True)
    files = [("footage", path) for path in sorted(footage.iterdir()) if path.is_file()][:most_files]
    seeds = range(_WORLD_SEED, _WORLD_SEED + num_films)
    files += [("world", once(folder / f"{seed}.mp4", partial(_film, seed))) for seed in seeds]
    found: dict[tuple[str, int, str], list[bool]] = defaultdict(list)
    unmarked: list[Evidence] = []
    quality: list[tuple[float, float]] = []
    for index, (kind, path) in enumerate(files):
        for number, clip in enumerate(_clips(path, kind)):
            unmarked.append(look_for_mark([grids_of(clip.frames)], KEY))
            is_curve = number == 0 and index % _CURVE_EVERY == 0
            for side in sides if number in _MARKED else ():
                if not is_curve and side != GUARANTEED_PX:
                    continue
                for what, is_found, shown in _trial(clip.at(side), folder):
                    if not is_found:
                        print(f"  not found: {path.name}, clip {number}, {side} px, {what}", file=sys.stderr)
                    found[kind, side, what].append(is_found)
                    quality += [shown] if side >= GUARANTEED_PX else []
    return [*_curve(found), *_false_alarms(unmarked), *_quality(quality)]


def _film(seed: int, path: Path) -> None:
    make_film(seed, path)


def _clips(path: Path, kind: str) -> Iterator[Clip]:
    """Seconds of a video that are whole; none of a file that is no video."""
    try:
        with av.open(str(path)) as container:
            yield from _seconds(container, kind)
    except FFmpegError:
        return


def _seconds(container: av.container.InputContainer, kind: str) -> Iterator[Clip]:
    if not container.streams.video:
        return
    stream = container.streams.video[0]
    rate = float(stream.average_rate or 25)
    every = max(1, round(rate / _MOST_FRAMES))
    num = min(_MOST_FRAMES, round(rate / every))
    scale = min(1.0, max(SIDES) / min(stream.width, stream.height))
    size = (round(stream.width * scale), round(stream.height * scale))
    frames: list[Frames] = []
    done, begin = 0, 0.0
    for number, frame in enumerate(container.decode(stream)):
        if number / rate >= begin and number % every == 0:
            frames.append(np.asarray(frame.reformat(*size, format="rgb24").to_ndarray(), np.uint8))
        if len(frames) == num and num > 1:
            yield Clip(kind, np.stack(frames))
            frames, done, begin = [], done + 1, begin + _STEP_S
        if done == _MOST_A_FILE:
            return


def _trial(frames: Frames, folder: Path) -> Iterator[tuple[str, bool, tuple[float, float]]]:
    """Mark, write, re-encode at half the size, look: as a video, and the first frame as a picture."""
    marked = np.stack(list(mark(frames, KEY)))
    shown = (_psnr(frames, marked), _ssim(frames[0], marked[0]))
    path, smaller = folder / "marked.mp4", folder / "smaller.mp4"
    write(path, marked, RATE, 17, record_of({}))
    _reencode(path, smaller)
    yield "video", look_into(smaller, KEY).is_found, shown
    height, width = frames.shape[1:3]
    half = cv2.resize(marked[0], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", half[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
    picture = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    yield "picture", look_for_mark([grids_of([picture])], KEY).is_found, shown


def _reencode(source: Path, path: Path) -> None:
    """Half the size, H.264 at CRF 28."""
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", RATE, options={"crf": "28"})
        frames = given.decode(video=0)
        for number, frame in enumerate(frames):
            if number == 0:
                stream.width, stream.height = 2 * (frame.width // 4), 2 * (frame.height // 4)
                stream.pix_fmt = "yuv420p"
            smaller = frame.reformat(stream.width, stream.height, "yuv420p")
            smaller.pts, smaller.time_base = number, 1 / RATE
            made.mux(stream.encode(smaller))
        made.mux(stream.encode(None))


def _curve(found: dict[tuple[str, int, str], list[bool]]) -> Iterator[Figure]:
    for what in ("video", "picture"):
        how = "a second, CRF 28, half the size" if what == "video" else "a picture, JPEG 75, half the size"
        for (kind, side, which), hits in sorted(found.items()):
            if which == what:
                is_promised = side >= GUARANTEED_PX and what == "video"
                yield Figure(
                    name=f"watermark found, {kind}, {side} px: {how}",
                    value=float(np.mean(hits)),
                    at_least=LEAST_FOUND if is_promised else None,
                    note=f"{sum(hits)} of {len(hits)}" + ("" if side >= GUARANTEED_PX else "; not guaranteed"),
                )


def _false_alarms(unmarked: Sequence[Evidence]) -> Iterator[Figure]:
    num, highest = sum(one.is_found for one in unmarked), max((one.score for one in unmarked), default=0.0)
    yield Figure(name="unmarked clips that were looked at", value=len(unmarked), at_least=LEAST_UNMARKED)
    yield Figure(
        name="unmarked clips taken for marked ones", value=num, at_most=0, note=f"their highest score {highest:.2f}"
    )


def _quality(quality: Sequence[tuple[float, float]]) -> Iterator[Figure]:
    if not quality:
        return
    psnr, ssim = zip(*quality, strict=True)
    yield Figure(name="PSNR of marked frames against unmarked, median", value=float(np.median(psnr)), unit="dB")
    yield Figure(name="the same, lowest clip", value=min(psnr), unit="dB", at_least=40.0)
    yield Figure(name="SSIM of the same, median", value=float(np.median(ssim)), note=f"lowest {min(ssim):.4f}")


def _psnr(frames: Frames, marked: Frames) -> float:
    error = float(((marked.astype(np.float32) - frames) ** 2).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def _ssim(frame: Frames, marked: Frames) -> float:
    """Of luma, with Gaussian windows. Source: Wang et al. 2004, "Image quality assessment", equation 13."""
    x, y = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float64) for one in (frame, marked))
    near = partial(cv2.GaussianBlur, ksize=(11, 11), sigmaX=1.5)
    mean_x, mean_y = near(x), near(y)
    var_x, var_y, both = near(x * x) - mean_x**2, near(y * y) - mean_y**2, near(x * y) - mean_x * mean_y
    low, high = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    share = (2 * mean_x * mean_y + low) * (2 * both + high)
    return float((share / ((mean_x**2 + mean_y**2 + low) * (var_x + var_y + high))).mean())
