from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from captioner.config import FramesConfig
from captioner.frames import ClipReader, _window, fit_size
from pipeline.media import MediaLimits
from schemas import ErrorKind, MediaError

SIDES = st.integers(1, 8192)


@given(SIDES, SIDES, st.integers(28 * 28, 2048 * 2048), st.integers(1, 64))
def test_a_size_fits_the_budget_and_the_grid_and_keeps_the_aspect(
    width: int, height: int, max_pixels: int, grid: int
) -> None:
    wide, high = fit_size(width, height, max_pixels, grid)
    assert wide % grid == high % grid == 0
    assert min(wide, high) >= grid
    assert wide * high <= max(max_pixels, grid * grid)
    # Never larger than the picture, but for the grid.
    assert wide <= max(grid, width + grid / 2)
    assert high <= max(grid, height + grid / 2)
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
    assume(min(width, height) * scale >= grid)
    assert abs(wide - width * scale) <= grid
    assert abs(high - height * scale) <= grid


@pytest.mark.parametrize(
    ("size", "budget", "fitted"),
    [
        pytest.param((1920, 1080), 512 * 512, (672, 364), id="16:9"),
        pytest.param((1080, 1920), 512 * 512, (364, 672), id="9:16"),
        pytest.param((512, 512), 512 * 512, (504, 504), id="square"),
        pytest.param((100, 60), 512 * 512, (112, 56), id="small pictures are not blown up"),
        pytest.param((3, 2), 512 * 512, (28, 28), id="tiny"),
        pytest.param((8000, 20), 28 * 28, (28, 28), id="a line"),
    ],
)
def test_known_sizes(size: tuple[int, int], budget: int, fitted: tuple[int, int]) -> None:
    assert fit_size(*size, budget, 28) == fitted


def opened(uri: str) -> AbstractContextManager[str]:
    return nullcontext(uri)


@pytest.fixture(scope="module")
def reader() -> Any:
    made = ClipReader(FramesConfig(num_frames=4, max_pixels=84 * 84), MediaLimits(), opened)
    yield made
    made.close()


def test_a_clip_is_read_with_its_times_and_size(reader: ClipReader, film: Any) -> None:
    for clip in film.clips:
        window = reader.read(str(film.path), film.probe, clip)
        length_s = float((clip.end_pts - clip.start_pts) * clip.time_base)
        width, height = fit_size(film.probe.width, film.probe.height, 84 * 84, 28)
        assert window.frames.shape == (4, height, width, 3)
        assert np.allclose(window.times_s, [length_s * (2 * k + 1) / 8 for k in range(4)], atol=0.03)
        assert 0 <= window.times_s[0] < window.times_s[-1] < length_s


def test_shots_look_different_and_one_shot_the_same_each_time(reader: ClipReader, film: Any) -> None:
    first, second, _ = (reader.read(str(film.path), film.probe, clip).frames for clip in film.clips)
    again = reader.read(str(film.path), film.probe, film.clips[0], from_start=True).frames
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - second).mean() > 10


def test_a_crop_is_what_the_model_sees(reader: ClipReader, film: Any) -> None:
    whole = replace(film.clips[1], crop=(0, 0, 192, 108))
    part = replace(whole, crop=(56, 24, 56, 56))
    config = FramesConfig(num_frames=2, max_pixels=192 * 108, grid_px=1)
    native = ClipReader(config, MediaLimits(), opened)
    large = native.read(str(film.path), film.probe, whole).frames
    small = native.read(str(film.path), film.probe, part).frames
    native.close()
    assert np.array_equal(large[:, 24:80, 56:112], small)


def test_a_file_that_is_gone_or_broken_is_told_as_such(reader: ClipReader, film: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.path.read_bytes()[:300])
    for path, kind in ((tmp_path / "gone.mp4", ErrorKind.io), (broken, ErrorKind.corrupt)):
        with pytest.raises(MediaError) as caught:
            reader.read(str(path), film.probe, film.clips[0])
        assert caught.value.kind is kind
    late = replace(film.clips[0], start_pts=10**9, end_pts=2 * 10**9)
    with pytest.raises(MediaError) as caught:
        reader.read(str(film.path), film.probe, late)
    assert caught.value.kind is ErrorKind.changed
    # And the reader goes on.
    assert len(reader.read(str(film.path), film.probe, film.clips[0]).frames) == 4


def test_the_decoder_outlives_the_threads_that_ask_it(reader: ClipReader, film: Any) -> None:
    pids = []
    for _ in range(3):
        asking = threading.Thread(target=reader.read, args=(str(film.path), film.probe, film.clips[0]))
        asking.start()
        asking.join()
        pids.append(reader._child.pid)
        # As long as the kernel may take to end it.
        time.sleep(0.05)
    assert len(set(pids)) == 1


PICTURE = bytes(2 * 3 * 3)


@pytest.mark.parametrize(
    ("times_s", "blobs"),
    [
        pytest.param(None, [PICTURE], id="no times"),
        pytest.param([], [], id="nothing"),
        pytest.param([0.0], [PICTURE, PICTURE], id="fewer times"),
        pytest.param([0.0], [PICTURE[1:]], id="half a picture"),
        pytest.param(["x"], [PICTURE], id="a word for a time"),
        pytest.param([[0.0]], [PICTURE], id="a list for a time"),
        pytest.param([float("nan")], [PICTURE], id="no number"),
        pytest.param([1.0, 0.5], [PICTURE, PICTURE], id="backwards"),
        pytest.param([0.5, 0.5], [PICTURE, PICTURE], id="twice"),
    ],
)
def test_a_decoder_that_answers_nonsense_is_not_believed(times_s: Any, blobs: list[bytes]) -> None:
    with pytest.raises(MediaError) as caught:
        _window(times_s, blobs, 3, 2)
    assert caught.value.kind is ErrorKind.decoder_crash
