from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from infra.demo.encode import Encoding, encode
from infra.demo.tiny import tiny_film
from pipeline.media import MediaLimits
from pipeline.media.container import open_container, select_stream
from pipeline.media.decode import DecodedFrame, Decoding
from pipeline.media.displayed import DisplayedCrop
from pipeline.media.excerpt import Excerpt, excerpt_job, shown_at, targets
from pipeline.media.probe import probe
from pipeline.media.service import Job
from schemas.errors import ErrorKind, MediaError
from schemas.video import Probe

LIMITS = MediaLimits()
B_FRAMES = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=3:b-pyramid=normal:open-gop=0"}
OPEN_GOP = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=3:b-pyramid=normal:open-gop=1"}
UNEVEN = [k * 3 + k % 3 for k in range(90)]


@dataclass
class Film:
    """A film, and everything that decoding it as a whole gives."""

    path: Path
    probe: Probe
    time_base: Fraction
    times: list[int]
    pictures: list[np.ndarray]
    """As displayed, at full size."""


def whole(path: Path) -> Film:
    with open_container(path) as container:
        probed = probe(container)
    displayed = DisplayedCrop(probed, (0, 0, probed.width, probed.height), probed.width, probed.height)
    with open_container(path) as container:
        decoding = Decoding(
            container,
            select_stream(container, probed.stream_index, LIMITS),
            LIMITS,
            max_frames=1 if probed.is_image else None,
        )
        frames = [(frame.pts, displayed(frame.frame)) for frame in decoding]
    return Film(path, probed, decoding.time_base, [pts for pts, _ in frames], [picture for _, picture in frames])


def rotated(folder: Path) -> Path:
    path = folder / "rotated.mp4"
    tiny_film(path, num_frames=90, size=(48, 64), encoding=Encoding(rotation_deg=90, gop_size=12))
    return path


def still(path: Path, suffix: str) -> Path:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    (path / f"still{suffix}").write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
    return path / f"still{suffix}"


FILMS: dict[str, Callable[[Any, Path], Path]] = {
    "B-frames": lambda make, _: make("b.mp4", frames=90, codec_options=B_FRAMES),
    "open groups": lambda make, _: make("open.mp4", frames=90, codec_options=OPEN_GOP),
    "one keyframe": lambda make, _: make("one.mp4", frames=90, codec_options={"g": "500"}),
    "uneven times": lambda make, _: make("vfr.mkv", times=UNEVEN, codec_options=B_FRAMES),
    "square samples not": lambda make, _: make("sar.mp4", frames=90, aspect=Fraction(4, 3), codec_options=B_FRAMES),
    "no index": lambda make, _: make("a.ts", frames=90, codec_options=B_FRAMES),
    "avi": lambda make, _: make("a.avi", "mpeg4", frames=90, codec_options={"g": "12"}),
    "avi with B-frames": lambda make, _: make("b.avi", "mpeg4", frames=90, codec_options={"g": "12", "bf": "2"}),
    "vp9": lambda make, _: make("a.webm", "libvpx-vp9", frames=90, codec_options={"g": "12", "cpu-used": "8"}),
    "late start": lambda make, _: make("late.mp4", times=[k + 50 for k in range(90)], codec_options=B_FRAMES),
    "rotated": lambda _, folder: rotated(folder),
}


@pytest.fixture(scope="module", params=FILMS)
def film(request: pytest.FixtureRequest, make_film: Any, tmp_path_factory: pytest.TempPathFactory) -> Film:
    return whole(FILMS[request.param](make_film, tmp_path_factory.mktemp("excerpt")))


def wanted_of(film: Film, first: int, last: int, **values: Any) -> Excerpt:
    """Frames `[first, last)` of a film, all of them unless told otherwise."""
    ends = [*film.times, film.times[-1] + 10**6]
    size = (film.probe.width, film.probe.height)
    given = {"choice": "all", "num_frames": 1000, "crop": (0, 0, *size), "width": size[0], "height": size[1]}
    return Excerpt(start_pts=ends[first], end_pts=ends[last], time_base=film.time_base, **{**given, **values})


def excerpt(film: Film, wanted: Excerpt) -> tuple[list[float], list[np.ndarray]]:
    with film.path.open("rb") as file:
        args = {"probe": film.probe.to_json(), "excerpt": wanted.to_json()}
        reply = excerpt_job(Job(args, file.fileno(), LIMITS, lambda frames: None))
    pictures = [np.frombuffer(blob, np.uint8).reshape(wanted.height, wanted.width, 3) for blob in reply.blobs]
    assert len(pictures) == len(reply.header["times_s"])
    return reply.header["times_s"], pictures


def assert_frames(film: Film, wanted: Excerpt, indices: list[int]) -> None:
    times_s, pictures = excerpt(film, wanted)
    told = [float((film.times[k] - wanted.start_pts) * film.time_base) for k in indices]
    assert times_s == told
    for index, picture in zip(indices, pictures, strict=True):
        assert np.array_equal(picture, film.pictures[index]), index


SPANS = pytest.mark.parametrize(("first", "last"), [(0, 90), (0, 1), (0, 7), (31, 32), (30, 71), (36, 48), (85, 90)])


@SPANS
@pytest.mark.parametrize("from_start", [False, True])
def test_all_frames_of_a_span_are_those_of_the_whole(film: Film, first: int, last: int, from_start: bool) -> None:
    assert len(film.times) == 90
    assert_frames(film, wanted_of(film, first, last, from_start=from_start), list(range(first, last)))


@pytest.mark.parametrize(("first", "last"), [(0, 90), (31, 32), (30, 71), (85, 90)])
@pytest.mark.parametrize(
    "choice",
    [
        pytest.param({"choice": "uniform", "num_frames": 5}, id="5 evenly"),
        pytest.param({"choice": "uniform", "num_frames": 200}, id="more than there are"),
        pytest.param({"choice": "rate", "num_frames": 100, "rate": 4.0}, id="4 a second"),
        pytest.param({"choice": "rate", "num_frames": 3, "rate": 30.0}, id="30 a second, 3 at most"),
        pytest.param({"choice": "rate", "num_frames": 3, "rate": 0.001}, id="hardly any"),
    ],
)
def test_chosen_frames_are_those_on_the_screen_at_their_moments(
    film: Film, first: int, last: int, choice: dict[str, Any]
) -> None:
    wanted = wanted_of(film, first, last, **choice)
    if last == 90:
        wanted = replace(wanted, end_pts=2 * film.times[-1] - film.times[-2])
    count = wanted.num_frames
    length_s = float((wanted.end_pts - wanted.start_pts) * wanted.time_base)
    if wanted.choice == "rate":
        count = max(1, min(count, round(length_s * wanted.rate)))
    moments = [wanted.start_pts + (wanted.end_pts - wanted.start_pts) * (k + 0.5) / count for k in range(count)]
    shown = {max(k for k in range(first, last) if film.times[k] <= max(moment, wanted.start_pts)) for moment in moments}
    assert_frames(film, wanted, sorted(shown))


@pytest.mark.parametrize("num_frames", [1, 4, 90])
def test_moments_are_frames_of_the_span_in_order(film: Film, num_frames: int) -> None:
    wanted = wanted_of(film, 30, 71, choice="moments", num_frames=num_frames)
    times_s, pictures = excerpt(film, wanted)
    own = {float((film.times[k] - wanted.start_pts) * film.time_base): film.pictures[k] for k in range(30, 71)}
    assert 1 <= len(times_s) <= min(num_frames, 41)
    assert all(before < after for before, after in pairwise(times_s))
    assert all(np.array_equal(own[time_s], picture) for time_s, picture in zip(times_s, pictures, strict=True))


def test_moments_lie_where_it_changes(tmp_path: Path) -> None:
    """Still for 40 frames, then 8 pictures in 8 frames, then still again."""
    rng = np.random.default_rng(0)
    many = [rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(8)]
    encode(tmp_path / "a.mp4", [*[many[0]] * 40, *many, *[many[7]] * 40])
    film = whole(tmp_path / "a.mp4")
    times_s, _ = excerpt(film, wanted_of(film, 0, 88, choice="moments", num_frames=6))
    inside = [time_s for time_s in times_s if 39 / 25 <= time_s <= 48 / 25]
    assert len(inside) >= 4
    evenly, _ = excerpt(film, wanted_of(film, 0, 88, choice="uniform", num_frames=6))
    assert len([time_s for time_s in evenly if 39 / 25 <= time_s <= 48 / 25]) <= 1


def test_moments_of_a_still_clip_are_spread_evenly(tmp_path: Path) -> None:
    tiny_film(tmp_path / "a.mp4", num_frames=80, cuts=(), motion=False, size=(64, 48))
    film = whole(tmp_path / "a.mp4")
    times_s, _ = excerpt(film, wanted_of(film, 0, 80, choice="moments", num_frames=4))
    assert np.allclose(times_s, [0.4, 1.2, 2.0, 2.8], atol=0.2)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("choice", ["uniform", "rate", "moments", "all"])
def test_a_still_picture_is_one_frame_whatever_is_chosen(tmp_path: Path, suffix: str, choice: Any) -> None:
    film = whole(still(tmp_path, suffix))
    assert film.probe.is_image
    times_s, (picture,) = excerpt(film, wanted_of(film, 0, 1, choice=choice, num_frames=8))
    assert times_s == [0.0]
    assert np.array_equal(picture, film.pictures[0])


def test_an_inner_span_is_not_decoded_from_the_beginning(make_film: Any) -> None:
    path = make_film("long.mp4", frames=600, codec_options=B_FRAMES)
    film = whole(path)
    counts: dict[bool, int] = {}
    for from_start in (False, True):
        packets: list[int] = []
        wanted = wanted_of(film, 500, 510, from_start=from_start)
        with path.open("rb") as file:
            args = {"probe": film.probe.to_json(), "excerpt": wanted.to_json()}
            excerpt_job(Job(args, os.dup(file.fileno()), LIMITS, packets.append))
        counts[from_start] = len(packets)
    assert counts[False] < 60
    assert counts[True] > 500


def test_a_film_without_frames_in_the_span_has_changed(make_film: Any) -> None:
    film = whole(make_film("b.mp4", frames=90, codec_options=B_FRAMES))
    late = replace(wanted_of(film, 0, 1), start_pts=10**8, end_pts=10**9)
    for choice in ("all", "uniform", "moments"):
        with pytest.raises(MediaError, match="holds no frame of the clip") as caught:
            excerpt(film, replace(late, choice=choice))  # type: ignore[arg-type]
        assert caught.value.kind is ErrorKind.changed


def test_what_is_wanted_survives_the_way_to_the_child() -> None:
    values = {"start_pts": 5, "end_pts": 9, "time_base": Fraction(1, 90_000), "choice": "rate", "num_frames": 3}
    wanted = Excerpt(**values, rate=2.5, crop=(1, 2, 3, 4), width=28, height=56, from_start=True)  # type: ignore[arg-type]
    assert Excerpt.from_json(wanted.to_json()) == wanted


def test_targets_are_the_middles_of_equal_parts() -> None:
    values = {
        "start_pts": 100,
        "end_pts": 200,
        "time_base": Fraction(1, 25),
        "crop": (0, 0, 1, 1),
        "width": 1,
        "height": 1,
    }
    uniform = Excerpt(choice="uniform", num_frames=4, **values)  # type: ignore[arg-type]
    assert targets(uniform) == [Fraction(225, 2), Fraction(275, 2), Fraction(325, 2), Fraction(375, 2)]
    assert targets(replace(uniform, choice="rate", rate=0.5)) == [125, 175]
    assert targets(replace(uniform, choice="rate", rate=60.0)) == targets(uniform)
    assert targets(replace(uniform, choice="rate", rate=0.01)) == [150]


@pytest.mark.parametrize(
    ("moments", "shown"),
    [
        pytest.param([], [], id="none"),
        pytest.param([0], [10], id="before the first"),
        pytest.param([10, 20, 30], [10, 20, 30], id="at their times"),
        pytest.param([11, 19, 20, 29], [10, 20], id="each once"),
        pytest.param([35, 99], [30], id="after the last"),
        pytest.param([25], [20], id="between"),
    ],
)
def test_the_frame_on_the_screen_is_the_last_that_has_begun(moments: list[int], shown: list[int]) -> None:
    empty = av.VideoFrame(8, 8, "rgb24")
    frames = [DecodedFrame(k, pts, 10, empty) for k, pts in enumerate((10, 20, 30))]
    assert [frame.pts for frame in shown_at(frames, moments)] == shown
    assert list(shown_at([], moments)) == []
