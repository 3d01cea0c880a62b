from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import duckdb
import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from infra.inspect.histogram import Distribution, measure
from infra.inspect.sql import open_views
from infra.inspect.strips import Extremes, extremes, load_strips, sample, thumbnail
from pipeline.dataset import Dataset


@pytest.fixture
def db(dataset: Dataset) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_views(dataset.manifest) as opened:
        yield opened


def ids(db: duckdb.DuckDBPyConnection) -> list[str]:
    return [row[0] for row in db.execute("SELECT clip_id FROM clips ORDER BY 1").fetchall()]


def jpeg(width: int, height: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1])


def shape(coded: bytes) -> tuple[int, int]:
    height, width = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    return width, height


@pytest.mark.parametrize(
    ("given", "small"),
    [((512, 288), (284, 160)), ((288, 512), (90, 160)), ((2000, 100), (320, 16)), ((64, 36), (64, 36))],
)
def test_a_thumbnail_keeps_the_shape_and_is_never_enlarged(given: tuple[int, int], small: tuple[int, int]) -> None:
    made = thumbnail(jpeg(*given))
    assert made is not None
    assert shape(made) == small


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"<svg onload=alert(1)>"], ids=["empty", "cut", "markup"])
def test_what_is_no_picture_gives_none(data: bytes) -> None:
    assert thumbnail(data) is None


def test_each_clip_gets_its_own_pictures_in_order(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    strips = load_strips(db, dataset, ids(db), max_bytes=10**9)
    assert set(strips) == set(ids(db))
    for clip_id, strip in strips.items():
        assert strip.clip["clip_id"] == clip_id
        if "script" in strip.clip["uri"]:
            assert (strip.pictures, strip.missing) == ((), "no previews")
            continue
        pictures = [base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")) for uri in strip.pictures]
        assert len(pictures) == 3
        wide = [int(np.argmax(_red(picture).sum(axis=0))) / shape(picture)[0] for picture in pictures]
        assert wide == sorted(wide), "the ball moves to the right"


def _red(picture: bytes) -> np.ndarray[Any, Any]:
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).astype(int)
    near = np.abs(pixels - np.array([40, 60, 230])).sum(axis=2) < 40
    return np.asarray(near)


def test_pictures_stop_at_the_room_there_is_and_say_so(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    strips = load_strips(db, dataset, ids(db), max_bytes=0)
    assert {strip.missing for strip in strips.values()} == {"left out to keep the page small"}


def test_previews_that_cannot_be_read_are_told(maker: Callable[[], Any]) -> None:
    made = maker()
    video_id = made.video("/a.mp4", [100])
    dataset = made.write()
    Path(dataset.preview_path(video_id)).write_bytes(b"\x00" * 100 + b"no tar" * 100)
    with open_views(dataset.manifest) as db:
        (strip,) = load_strips(db, dataset, ids(db), max_bytes=10**9).values()
    assert strip.missing.startswith("the previews cannot be read")


@pytest.fixture
def many(maker: Callable[[], Any]) -> Any:
    def made(number: int) -> Dataset:
        dataset: Dataset = maker().dataset
        values = np.random.default_rng(3).permutation(number) / number
        ids = [f"{k:032x}" for k in range(number)]
        data = {"clip_id": ids, "video_id": [f"v{k % 7}" for k in range(number)], "t_value": values}
        write_deltalake(dataset.manifest.uri("scores/scan"), pa.table(data))
        return dataset

    return made


@pytest.mark.parametrize("number", [12, 9000], ids=["few clips", "many clips"])
def test_extremes_are_the_lowest_and_the_highest_and_share_no_clip(many: Any, number: int) -> None:
    with open_views(many(number).manifest) as db:
        values = dict(db.execute("SELECT clip_id, t_value FROM scores_scan").fetchall())
        shown = measure(db, "t_value", "scores_scan")
        found = extremes(db, "scores_scan", "t_value", shown, number=2)
        assert extremes(db, "scores_scan", "t_value", shown, number=0) == Extremes()
    order = sorted(values, key=lambda clip_id: values[clip_id])
    assert len({*found.lowest, *found.middle, *found.highest}) == 6
    assert found.lowest[0] == order[0]
    assert found.highest[0] == order[-1]
    assert all(abs(values[clip_id] - 0.5) < 0.2 for clip_id in found.middle)


def test_where_most_clips_share_the_lowest_value_the_middle_is_that_of_the_rest(
    maker: Callable[[], Any],
) -> None:
    manifest = maker().dataset.manifest
    values = [0.0] * 90 + [0.1, 0.4, 0.5, 0.6, 0.9, 1.0]
    ids = [f"{k:032x}" for k in range(len(values))]
    data = {"clip_id": ids, "video_id": ids, "t_value": values}
    write_deltalake(manifest.uri("scores/scan"), pa.table(data))
    with open_views(manifest) as db:
        found = extremes(db, "scores_scan", "t_value", measure(db, "t_value", "scores_scan"), number=1)
    told = [values[ids.index(some[0])] for some in (found.lowest, found.middle, found.highest)]
    assert told == [0.0, 0.5, 1.0]
    assert not found.is_median


def test_a_score_without_values_has_no_extremes(maker: Callable[[], Any]) -> None:
    shown = Distribution(3, 0, 3, (), False, 0, (), ())
    with open_views(maker().dataset.manifest) as db:
        assert extremes(db, "scores_scan", "clip_id", shown, number=2) == Extremes()


def test_a_sample_is_the_same_for_a_seed_and_has_another_video_before_a_second_clip(
    maker: Callable[[], Any],
) -> None:
    made = maker()
    made.video("/long.mp4", [60] * 30, pictures=False)
    for k in range(5):
        made.video(f"/{k}.mp4", [60], pictures=False)
    dataset = made.write()
    with open_views(dataset.manifest) as db:
        drawn = sample(db, number=6, seed=1)
        assert sample(db, number=6, seed=1) == drawn
        others = {sample(db, number=6, seed=seed) for seed in range(4)}
        videos = dict(db.execute("SELECT clip_id, video_id FROM clips").fetchall())
        assert sample(db, number=999, seed=1)
    assert len(others) == 4
    assert len({videos[clip_id] for clip_id in drawn}) == 6
