"""The watermark: found in what was marked, whatever became of it; in nothing else; and not seen."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from infra.demo.captioned import draw_captioned
from infra.demo.render import render_shot
from trainer.sampling.request import Frames
from trainer.sampling.watermark import grids_of, look_for_mark, mark
from trainer.sampling.watermark.carrier import carriers
from trainer.sampling.watermark.reading import look_into
from trainer.sampling.writing import write

KEY = "the key of the tests"


def scene(seed: int, num: int = 8, size: tuple[int, int] = (342, 256)) -> Frames:
    drawn, _, _ = draw_captioned(seed)
    return np.stack(list(render_shot(drawn, size, [0.2 + k / 24 for k in range(num)])))


def marked(frames: Frames, key: str = KEY) -> Frames:
    return np.stack(list(mark(frames, key)))


def reencoded(source: Path, path: Path, scale: float, crf: int = 28, rate: int = 24, first: int = 0) -> Path:
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate, options={"crf": str(crf)})
        for number, frame in enumerate(list(given.decode(video=0))[first:]):
            if number == 0:
                stream.width, stream.height = (2 * round(side * scale / 2) for side in (frame.width, frame.height))
                stream.pix_fmt = "yuv420p"
            small = frame.reformat(stream.width, stream.height, "yuv420p")
            small.pts, small.time_base = number, Fraction(1, rate)
            made.mux(stream.encode(small))
        made.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("marked") / "film.mp4"
    write(path, marked(scene(3, 24)), Fraction(24), 17, {})
    return path


@pytest.mark.parametrize(
    ("scale", "crf", "rate", "first"),
    [
        pytest.param(0.5, 28, 24, 0, id="half the size"),
        pytest.param(0.61, 28, 24, 0, id="an odd size"),
        pytest.param(2.0, 28, 24, 0, id="twice the size"),
        pytest.param(0.5, 28, 30, 11, id="another rate, and trimmed"),
        pytest.param(1.0, 33, 24, 0, id="coarse"),
    ],
)
def test_it_survives_a_reencoding(film: Path, tmp_path: Path, scale: float, crf: int, rate: int, first: int) -> None:
    found = look_into(reencoded(film, tmp_path / "again.mp4", scale, crf, rate, first), KEY)
    assert found.is_found
    assert found.num_frames == 24 - first


def black(num: int) -> Frames:
    return np.zeros((num, 256, 300, 3), np.uint8)


def lone_square(num: int) -> Frames:
    frames = np.full((num, 256, 300, 3), 250, np.uint8)
    for k in range(num):
        frames[k, 100:140, 20 + 4 * k : 60 + 4 * k] = (250, 0, 0)
    return frames


@pytest.mark.parametrize("made", [black, lone_square])
def test_it_survives_in_pictures_that_give_it_no_hold(tmp_path: Path, made: Callable[[int], Frames]) -> None:
    write(tmp_path / "a.mp4", marked(made(24)), Fraction(24), 17, {})
    assert look_into(reencoded(tmp_path / "a.mp4", tmp_path / "b.mp4", 0.5), KEY).is_found


@pytest.mark.parametrize("size", [(256, 256), (612, 256), (256, 456)], ids=["square", "2.39:1", "portrait"])
def test_one_picture_is_enough_in_any_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    (picture,) = marked(scene(5, 1, size))
    small = cv2.resize(picture, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "a.jpg"), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
    assert look_into(tmp_path / "a.jpg", KEY).is_found


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x: x * 0.85, id="darker"),
        pytest.param(lambda x: x * 1.15, id="more contrast"),
        pytest.param(lambda x: x + 20, id="brighter"),
        pytest.param(lambda x: 255 * (x / 255) ** 0.9, id="gamma"),
    ],
)
def test_it_survives_other_brightness(change: Callable[[Frames], Frames]) -> None:
    changed = np.clip(change(marked(scene(7, 4)).astype(np.float32)), 0, 255).astype(np.uint8)
    assert look_for_mark([grids_of(changed)], KEY).is_found


def test_it_is_not_seen() -> None:
    for seed in (1, 2, 3):
        plain = scene(seed, 2)
        error = ((marked(plain).astype(np.float32) - plain) ** 2).mean()
        assert 10 * np.log10(255**2 / error) >= 40


def test_what_is_not_marked_is_not_found() -> None:
    seen = [look_for_mark([grids_of(scene(seed, 2, (160, 120)))], KEY) for seed in range(60)]
    seen += [look_for_mark([grids_of(frames)], KEY) for frames in (black(3), black(3) + 128, black(1) + 255)]
    assert not any(evidence.is_found for evidence in seen)


def test_the_chance_is_a_bound_on_how_often_other_keys_are_found() -> None:
    grids = grids_of(marked(scene(9, 2), "another key"))
    seen = [look_for_mark([grids], f"key {number}") for number in range(100)]
    assert look_for_mark([grids], "another key").is_found
    assert not any(evidence.is_found for evidence in seen)
    # Sums of signs follow a normal law more closely than the bound says, which is what makes it a bound.
    assert np.mean([evidence.chance < 0.05 for evidence in seen]) <= 0.05


def test_the_same_frames_and_key_give_the_same_pixels() -> None:
    frames = scene(11, 2)
    assert np.array_equal(marked(frames), marked(frames))
    assert not np.array_equal(marked(frames), marked(frames, "another"))


def test_frames_too_small_for_it_stay_close_to_what_they_were() -> None:
    for size in ((32, 24), (16, 16), (2, 2)):
        frames = np.random.default_rng(0).integers(0, 256, (1, size[1], size[0], 3)).astype(np.uint8)
        assert marked(frames).shape == frames.shape
        assert np.abs(marked(frames).astype(int) - frames).max() <= 24


def test_patterns_do_not_disturb_each_other() -> None:
    patterns = carriers(KEY).patterns.astype(np.float64)
    assert np.allclose(patterns @ patterns.T / patterns.shape[1], np.eye(len(patterns)), atol=1e-5)
