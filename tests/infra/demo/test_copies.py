from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from infra.demo.copies import TRANSFORMS, copy_video
from infra.demo.encode import decode
from infra.demo.tiny import tiny_film

SIZE = (160, 90)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copies") / "film.mp4"
    tiny_film(path, num_frames=75, cuts=(40,), size=SIZE, fps=25)
    return path


def timed(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Times after the first frame, in seconds, and pictures."""
    with av.open(str(path)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    return np.array(times) - times[0], list(decode(path))


@pytest.mark.parametrize("how", TRANSFORMS)
def test_a_copy_shows_the_span_of_its_source_that_it_says(how: str, film: Path, tmp_path: Path) -> None:
    transform = TRANSFORMS[how]
    copy = copy_video(film, tmp_path / "copy.mp4", how)
    (times_s, pictures), (source_s, source) = timed(tmp_path / "copy.mp4"), timed(film)
    assert (copy.source, copy.how) == ("film.mp4", how)
    assert times_s[-1] == pytest.approx((copy.end_s - copy.start_s) / copy.speed, abs=0.12)
    for number in (3, len(pictures) // 2, len(pictures) - 4):
        nearest = int(np.abs(source_s - (copy.start_s + copy.speed * times_s[number])).argmin())
        # A crop slides what moves, so the best fit is a few frames off; no other part of the source fits as well.
        errors = [_difference(pictures[number], source[k], how) for k in range(len(source))]
        near = min(errors[max(0, nearest - 5) : nearest + 6])
        assert near <= min(errors) + 1.0, (number, nearest, int(np.argmin(errors)))
    assert transform.speed == copy.speed


def _difference(picture: np.ndarray, source: np.ndarray, how: str) -> float:
    """Mean difference in the middle of the picture, where every copy shows the same place or its mirror image."""
    if "mirror" in how:
        picture = picture[:, ::-1]
    small = [cv2.resize(_bare(p), (32, 18), interpolation=cv2.INTER_AREA).astype(float) for p in (picture, source)]
    return float(np.abs(small[0] - small[1]).mean())


def _bare(picture: np.ndarray) -> np.ndarray:
    """Without black bars."""
    lit = picture.max(axis=2) > 30
    rows, columns = np.flatnonzero(lit.mean(1) > 0.5), np.flatnonzero(lit.mean(0) > 0.5)
    return np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def test_sizes_bars_and_rates_are_those_of_the_transform(film: Path, tmp_path: Path) -> None:
    def size_and_rate(how: str) -> tuple[int, int, int]:
        copy_video(film, tmp_path / "copy.mp4", how)
        with av.open(str(tmp_path / "copy.mp4")) as container:
            stream = container.streams.video[0]
            return stream.width, stream.height, round(float(stream.average_rate or 0))

    assert size_and_rate("half size") == (80, 44, 25)
    assert size_and_rate("crop 10 % of one side") == (144, 90, 25)
    assert size_and_rate("letterbox") == (160, 118, 25)
    assert size_and_rate("other frame rate") == (160, 90, 30)
    assert size_and_rate("7 % slower") == (160, 90, 25)


def test_the_same_copy_has_the_same_bytes(film: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        copy_video(film, tmp_path / name, "small and cropped")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_what_cannot_be_copied_is_refused(film: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no transform 'sepia'"):
        copy_video(film, tmp_path / "copy.mp4", "sepia")
    tiny_film(tmp_path / "short.mp4", num_frames=20, cuts=(), size=SIZE, fps=25)
    with pytest.raises(ValueError, match="nothing is left"):
        copy_video(tmp_path / "short.mp4", tmp_path / "copy.mp4", "trimmed")


def test_real_footage_is_copied_too(shared_footage: Path, tmp_path: Path) -> None:
    copy = copy_video(shared_footage / "bridge_test_312_rgb.mp4", tmp_path / "copy.mp4", "trimmed and faster")
    assert copy.start_s == 0.5
    assert len(list(decode(tmp_path / "copy.mp4"))) > 20
