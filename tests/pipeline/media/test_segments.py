from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.media import MediaLimits
from pipeline.media.container import open_container, select_stream, video_stream
from pipeline.media.decode import Decoding
from pipeline.media.segments import (
    WHOLE,
    PacketTime,
    Seam,
    Segment,
    choose_starts,
    frame_digest,
    joins,
    plan_segments,
    seam,
)
from schemas.errors import MediaError

LIMITS = MediaLimits()
OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-pyramid=normal"}
VP9 = {"g": "12", "deadline": "realtime", "lag-in-frames": "8", "auto-alt-ref": "1"}
X265 = {"x265-params": "log-level=none:pools=1:frame-threads=1:keyint=12:min-keyint=12:scenecut=0:bframes=3"}


def decoded(path: Path, segment: Segment = (None, None)) -> tuple[list[tuple[int, str]], Seam]:
    """Each frame's time and digest, and what lies at the ends."""
    with open_container(str(path)) as container:
        stream = video_stream(container)
        decoding = Decoding(container, stream, LIMITS, start_pts=segment[0], stop_pts=segment[1])
        frames, first = [], None
        for frame in decoding:
            first = first or frame.frame
            frames.append((frame.pts, frame_digest(frame.frame)))
        return frames, seam(decoding, first)


def ends_of(path: Path, segment: Segment) -> Seam | None:
    """What lies at the ends of a part; None where it is too damaged to be used."""
    try:
        return decoded(path, segment)[1]
    except MediaError:
        return None


def plan(path: Path, target_s: float, max_segments: int = 100) -> list[Segment]:
    with open_container(str(path)) as container:
        index = video_stream(container).index
    return plan_segments(str(path), index, target_s=target_s, max_segments=max_segments)


def assert_parts_are_the_whole(path: Path, target_s: float, num_segments: int) -> None:
    segments = plan(path, target_s)
    assert len(segments) >= num_segments
    whole, _ = decoded(path)
    parts = [decoded(path, segment) for segment in segments]
    assert [frame for frames, _ in parts for frame in frames] == whole
    assert joins([ends for _, ends in parts])


@pytest.mark.parametrize(
    ("name", "codec", "options", "extra"),
    [
        pytest.param("open.mp4", "libx264", OPEN_GOP, {}, id="H.264 open GOP with pyramid, mp4"),
        pytest.param("open.mkv", "libx264", OPEN_GOP, {}, id="H.264 open GOP with pyramid, mkv"),
        pytest.param("closed.mp4", "libx264", {"g": "12", "bf": "2"}, {}, id="H.264 closed GOP"),
        pytest.param("closed.mov", "libx264", {"g": "12", "bf": "0"}, {}, id="H.264 without B-frames"),
        pytest.param("hevc.mp4", "libx265", X265, {}, id="HEVC open GOP, mp4"),
        pytest.param("hevc.mkv", "libx265", X265, {}, id="HEVC open GOP, mkv"),
        pytest.param("vp9.webm", "libvpx-vp9", VP9, {}, id="VP9 with hidden frames"),
        pytest.param("av1.mp4", "libsvtav1", {"g": "12", "preset": "12"}, {}, id="AV1"),
        pytest.param("mpeg4.mp4", "mpeg4", {"g": "12", "bf": "2"}, {}, id="MPEG-4 with B-frames"),
        pytest.param("mpeg2.mkv", "mpeg2video", {"g": "12", "bf": "2"}, {}, id="MPEG-2 with B-frames"),
        pytest.param("mpeg4.avi", "mpeg4", {"g": "12", "bf": "2"}, {}, id="MPEG-4 with B-frames, avi"),
        pytest.param("mjpeg.avi", "mjpeg", {}, {"pixels": "yuvj420p"}, id="motion JPEG"),
    ],
)
def test_parts_of_a_film_are_exactly_the_whole(
    make_film: Any, name: str, codec: str, options: dict[str, str], extra: dict[str, Any]
) -> None:
    film = make_film(name, codec, frames=100, codec_options=options, **extra)
    assert_parts_are_the_whole(film, 0.9, 4)


def test_parts_of_a_film_of_uneven_rate_are_exactly_the_whole(make_film: Any) -> None:
    times = [k + 10 * (k // 7) + k % 3 for k in range(0, 200, 2)]
    film = make_film("vfr.mp4", times=sorted(set(times)), codec_options={"g": "10", "bf": "2"})
    assert_parts_are_the_whole(film, 1.0, 3)


def test_fragments_without_an_index_are_cut_only_where_seeking_finds_them(make_film: Any) -> None:
    film = make_film(
        "fragments.mp4",
        frames=100,
        codec_options={"g": "12", "bf": "2"},
        options={"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    )
    assert_parts_are_the_whole(film, 0.9, 1)


@pytest.mark.parametrize(
    "name",
    ["mvp_second_vid.mp4", "reel_open_mix.mp4", "moz_sync.webm", "mvp_bbb_0_30.webm", "tc_av1_video.mkv"],
)
def test_parts_of_real_footage_are_exactly_the_whole(shared_footage: Path, name: str) -> None:
    path = shared_footage / name
    if not path.is_file():
        pytest.skip(f"{name} is not there")
    assert_parts_are_the_whole(path, 2.0, 1)


def test_parts_are_about_equally_long_and_no_more_than_asked_for(make_film: Any) -> None:
    film = make_film("long.mp4", frames=200, codec_options={"g": "5", "bf": "2"})
    segments = plan(film, 0.1, max_segments=4)
    lengths = [len(decoded(film, segment)[0]) for segment in segments]
    assert len(lengths) == 4
    assert max(lengths) - min(lengths) <= 10


@pytest.mark.parametrize(
    ("name", "codec", "options", "container"),
    [
        pytest.param("one_key.mp4", "libx264", {"g": "1000"}, None, id="a single keyframe"),
        pytest.param("stream.ts", "libx264", {"g": "12"}, None, id="no index"),
        pytest.param("raw.h264", "libx264", {"g": "12"}, "h264", id="no times"),
        pytest.param("other.avi", "huffyuv", {}, None, id="a codec that nobody checked"),
    ],
)
def test_what_leaves_doubt_is_one_piece(
    make_film: Any, name: str, codec: str, options: dict[str, str], container: str | None
) -> None:
    pixels = "yuv422p" if codec == "huffyuv" else "yuv420p"
    film = make_film(name, codec, frames=100, codec_options=options, container=container, pixels=pixels)
    assert plan(film, 0.5) == WHOLE


def test_one_damaged_packet_makes_it_one_piece_or_shows_at_a_seam(make_film: Any, tmp_path: Path) -> None:
    film = make_film("good.mp4", frames=100, codec_options={"g": "12", "bf": "2"})
    assert len(plan(film, 0.9)) >= 4
    data = bytearray(film.read_bytes())
    start = data.index(b"mdat")
    for k in range(start + 3000, start + 6000, 7):
        data[k] ^= 0x5A
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(data)
    segments = plan(bad, 0.9)
    assert len(segments) >= 2
    seams = [ends_of(bad, segment) for segment in segments]
    usable = [ends for ends in seams if ends is not None]
    assert len(usable) < len(seams) or not joins(usable)


def packets(*pts: int, keys: tuple[int, ...]) -> list[PacketTime]:
    return [PacketTime(time, time in keys) for time in pts]


def test_a_keyframe_that_something_earlier_in_the_file_outlasts_is_no_start() -> None:
    times = packets(0, 10, 30, 20, 40, 50, 60, 70, 80, keys=(0, 20, 40, 60, 80))
    assert choose_starts(times, 10, 2) == [40]


def test_leading_pictures_of_a_keyframe_do_not_forbid_to_start_there() -> None:
    times = packets(0, 10, 20, 50, 30, 40, 60, 70, 100, 80, 90, 110, keys=(0, 50, 60, 100))
    assert set(choose_starts(times, 10, 2)) <= {50, 60}


def test_fewer_than_two_keyframes_a_part_are_fewer_parts() -> None:
    every_ten = packets(*range(100), keys=tuple(range(0, 100, 10)))
    assert len(choose_starts(every_ten, 1, 100)) == 4
    assert choose_starts(packets(*range(100), keys=(0, 50)), 1, 100) == []


def test_starts_are_keyframes_in_order() -> None:
    keys = (0, 1, 2, 3, 4, 5, 90, 95)
    starts = choose_starts(packets(*range(100), keys=keys), 10, 4)
    assert all(a < b for a, b in pairwise(starts))
    assert set(starts) <= set(keys) - {0}


@pytest.mark.parametrize(
    ("seams", "expected"),
    [
        pytest.param([Seam("a", None, True)], True, id="one piece"),
        pytest.param([Seam("a", "b", True), Seam("b", None, True)], True, id="both saw the same frame"),
        pytest.param([Seam("a", "x", True), Seam("b", None, True)], False, id="they saw different frames"),
        pytest.param([Seam("a", None, True), Seam("b", None, True)], False, id="the first did not get there"),
        pytest.param([Seam("a", "b", False), Seam("b", None, True)], False, id="something was mended"),
    ],
)
def test_parts_join_where_both_sides_of_each_seam_agree(seams: list[Seam], expected: bool) -> None:
    assert joins(seams) is expected


def test_a_digest_covers_time_format_and_samples(make_film: Any) -> None:
    film = make_film("digest.mp4", frames=3)
    frames, _ = decoded(film)
    assert len({digest for _, digest in frames}) == 3
    with open_container(str(film)) as container:
        stream = select_stream(container, 0, LIMITS)
        frame = next(iter(Decoding(container, stream, LIMITS))).frame
        assert frame_digest(frame) == frames[0][1]
        frame.pts += 1
        assert frame_digest(frame) != frames[0][1]


def test_padding_beside_the_picture_is_not_part_of_it() -> None:
    digests = set()
    for filler in (0, 255):
        frame = av.VideoFrame(50, 40, "yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        for plane in frame.planes:
            rows = bytearray([filler]) * plane.buffer_size
            for y in range(plane.height):
                rows[y * plane.line_size : y * plane.line_size + plane.width] = bytes([7]) * plane.width
            plane.update(bytes(rows))
        digests.add(frame_digest(frame))
    assert len(digests) == 1
