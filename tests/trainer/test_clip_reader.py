from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from infra.demo.encode import Encoding
from infra.demo.tiny import tiny_film
from pipeline.media import MediaLimits
from pipeline.media.container import open_container, quiet
from pipeline.media.probe import probe
from schemas import ErrorKind, MediaError, Probe
from schemas.bucket import Bucket
from trainer.clip_reader import BucketReader
from trainer.encode_inputs import BucketedClip

Crop = tuple[int, int, int, int]
CELL = (16, 16)
TICKS = 512
"""Of a frame at 25 a second, in the time base of these files."""


@pytest.fixture(scope="module")
def reader() -> Iterator[BucketReader]:
    made = BucketReader(CELL, MediaLimits())
    yield made
    made.close()


def film(path: Path, rotation_deg: int = 0) -> tuple[str, Probe]:
    quiet()
    tiny_film(path, cuts=(), size=(192, 112), encoding=Encoding(rotation_deg=rotation_deg))
    with open_container(path) as container:
        return str(path), probe(container)


def clip(frames: int, height: int, width: int, step: int = 1, crop: Crop = (0, 0, 192, 112)) -> BucketedClip:
    bucket = Bucket(frames, height, width, Fraction(25, step), step)
    return BucketedClip("c" * 32, 10 * TICKS, 40 * TICKS, Fraction(1, 12_800), crop, bucket, 1)


def test_every_step_th_frame_from_the_first_on_is_given(reader: BucketReader, tmp_path: Path) -> None:
    path, probed = film(tmp_path / "film.mp4")
    whole = reader.read(path, probed, clip(30, 112, 192))
    assert whole.pixels.shape == (30, 112, 192, 3)
    assert whole.times_s == pytest.approx([k / 25 for k in range(30)])
    stepped = reader.read(path, probed, clip(9, 112, 192, step=3))
    assert np.array_equal(stepped.pixels, whole.pixels[: 9 * 3 : 3])
    assert stepped.times_s == pytest.approx([k * 3 / 25 for k in range(9)])


def test_the_crop_is_exact_and_the_resize_averages_areas(reader: BucketReader, tmp_path: Path) -> None:
    path, probed = film(tmp_path / "film.mp4")
    whole = reader.read(path, probed, clip(1, 112, 192)).pixels[0]
    cut = reader.read(path, probed, clip(1, 64, 96, crop=(33, 21, 96, 64))).pixels[0]
    assert np.array_equal(cut, whole[21:85, 33:129])
    halved = reader.read(path, probed, clip(1, 48, 96, crop=(0, 8, 192, 96))).pixels[0]
    means = whole[8:104].reshape(48, 2, 96, 2, 3).mean(axis=(1, 3))
    assert float(np.abs(halved - means).max()) <= 1


def test_a_turned_picture_is_given_as_it_is_displayed(reader: BucketReader, tmp_path: Path) -> None:
    path, probed = film(tmp_path / "film.mp4", rotation_deg=90)
    assert (probed.width, probed.height) == (192, 112)
    upright, _ = film(tmp_path / "upright.mp4")
    turned = reader.read(path, probed, clip(1, 112, 192)).pixels[0].astype(int)
    plain = reader.read(upright, replace(probed, rotation_deg=0), clip(1, 112, 192)).pixels[0].astype(int)
    assert float(np.abs(turned - plain).mean()) < 3


def test_a_clip_with_fewer_frames_than_its_bucket_is_an_error(reader: BucketReader, tmp_path: Path) -> None:
    path, probed = film(tmp_path / "film.mp4")
    with pytest.raises(MediaError, match="holds 30 of the 33 frames that its bucket takes") as caught:
        reader.read(path, probed, clip(33, 112, 192))
    assert caught.value.kind is ErrorKind.changed
    late = replace(clip(1, 112, 192), start_pts=90 * TICKS, end_pts=99 * TICKS)
    with pytest.raises(MediaError, match="holds no frame of the clip"):
        reader.read(path, probed, late)


def test_a_file_that_is_gone_or_no_video_is_an_error(reader: BucketReader, tmp_path: Path) -> None:
    path, probed = film(tmp_path / "film.mp4")
    with pytest.raises(MediaError) as caught:
        reader.read(f"{path}.gone", probed, clip(1, 112, 192))
    assert caught.value.kind is ErrorKind.io
    Path(path).write_bytes(b"no video at all" * 100)
    with pytest.raises(MediaError) as caught:
        reader.read(path, probed, clip(1, 112, 192))
    assert caught.value.kind in (ErrorKind.not_media, ErrorKind.corrupt)


def test_a_still_picture_is_a_clip_of_one_frame(reader: BucketReader, tmp_path: Path) -> None:
    import cv2

    picture = np.random.default_rng(0).integers(0, 256, (112, 192, 3), np.uint8)
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    quiet()
    with open_container(path) as container:
        probed = probe(container)
    assert probed.is_image
    found = reader.read(str(path), probed, replace(clip(1, 112, 192), start_pts=0, end_pts=1))
    assert np.array_equal(found.pixels[0], picture)
    assert found.times_s == (0.0,)
