from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipeline.media import MediaLimits
from pipeline.media.container import open_container, video_stream
from pipeline.media.decode import Decoding
from schemas.errors import ErrorKind, MediaError

GOP = "qp=26:keyint=25:min-keyint=25:scenecut=0:bframes=2:open-gop=0"


def decode(path: Path, limits: MediaLimits | None = None, **options: Any) -> tuple[Decoding, list[int]]:
    limits = limits or MediaLimits()
    with open_container(path, limits) as container:
        decoding = Decoding(container, video_stream(container, limits), limits, **options)
        return decoding, [frame.pts for frame in decoding]


def damaged(path: Path, folder: Path, flips: int, seed: int = 1) -> Path:
    """A copy with bits flipped in its media data."""
    rng = random.Random(seed)
    data = bytearray(path.read_bytes())
    start, moov = data.index(b"mdat") + 200, data.index(b"moov")
    # A box begins with its size, before its name.
    end = moov - 4 if moov > start else len(data)
    for _ in range(flips):
        data[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    copy = folder / f"{flips}-{seed}.mp4"
    copy.write_bytes(data)
    return copy


@pytest.fixture(scope="module")
def film(make_film: Any) -> Path:
    path: Path = make_film("decode.mp4", frames=100, codec_options={"x264-params": GOP})
    return path


def test_every_frame_comes_in_order_with_its_time_and_duration(film: Path) -> None:
    with open_container(film) as container:
        stream = video_stream(container)
        decoding = Decoding(container, stream, MediaLimits())
        frames = [(frame.index, frame.pts * decoding.time_base * 25, frame.duration) for frame in decoding]
    assert frames == [(index, index, 512) for index in range(100)]
    assert (decoding.num_frames, decoding.num_packets) == (100, 100)
    assert (decoding.num_bad_packets, decoding.num_repaired_pts) == (0, 0)


def test_uneven_times_are_kept_exactly(make_film: Any) -> None:
    times = [0, 1, 2, 5, 9, 10, 30, 31]
    film = make_film("uneven.mp4", times=times)
    decoding, pts = decode(film)
    assert [time * decoding.time_base * 25 for time in pts] == times


def test_a_raw_stream_without_times_gets_them_from_its_rate(make_film: Any) -> None:
    film = make_film("raw.h264", frames=20, container="h264", codec_options={"bf": "0"})
    decoding, pts = decode(film)
    steps = {b - a for a, b in pairwise(pts)}
    assert len(pts) == decoding.num_repaired_pts == 20
    assert [step * decoding.time_base * 25 for step in steps] == [1]


@pytest.mark.parametrize("seed", range(5))
def test_bad_packets_cost_their_own_frames_only_and_are_counted(film: Path, tmp_path: Path, seed: int) -> None:
    decoding, pts = decode(damaged(film, tmp_path, 40, seed))
    assert 0 < decoding.num_bad_packets < 50
    assert len(pts) >= 50
    assert all(a < b for a, b in pairwise(pts))
    assert decode(damaged(film, tmp_path, 40, seed))[1] == pts


def test_more_damage_than_the_limit_allows_is_corrupt(film: Path, tmp_path: Path) -> None:
    bad = damaged(film, tmp_path, 40)
    with pytest.raises(MediaError, match="over the limit") as caught:
        decode(bad, MediaLimits(max_bad_packet_ratio=0.0))
    assert caught.value.kind is ErrorKind.corrupt


def test_a_film_cut_off_gives_what_is_there(make_film: Any, tmp_path: Path) -> None:
    film = make_film("cut.mp4", frames=100, options={"movflags": "faststart"})
    data = film.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 6 // 10])
    decoding, pts = decode(cut)
    assert 20 < len(pts) < 90
    assert decoding.num_bad_packets <= 2


def test_a_film_of_which_nothing_decodes_is_corrupt(film: Path, tmp_path: Path) -> None:
    data = bytearray(film.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    (tmp_path / "zeroed.mp4").write_bytes(data)
    with pytest.raises(MediaError, match=r"none decodes|no data") as caught:
        decode(tmp_path / "zeroed.mp4")
    assert caught.value.kind is ErrorKind.corrupt


def test_more_frames_than_the_limit_are_too_many(film: Path) -> None:
    assert len(decode(film, MediaLimits(max_frames=100))[1]) == 100
    with pytest.raises(MediaError) as caught:
        decode(film, MediaLimits(max_frames=99))
    assert caught.value.kind is ErrorKind.too_large


def test_frames_that_grow_midway_are_refused(make_film: Any, tmp_path: Path) -> None:
    small = make_film("small.h264", frames=5, container="h264")
    large = make_film("large.h264", frames=5, size=(320, 240), container="h264")
    (tmp_path / "grows.h264").write_bytes(small.read_bytes() + large.read_bytes())
    assert len(decode(tmp_path / "grows.h264")[1]) == 10
    decoding, pts = decode(tmp_path / "grows.h264", MediaLimits(max_pixels=64 * 64))
    assert (len(pts), decoding.num_bad_packets) == (5, 5)


def test_no_more_frames_are_decoded_than_asked_for(film: Path) -> None:
    decoding, pts = decode(film, max_frames=1)
    assert len(pts) == 1
    assert decoding.num_packets < 20


def test_a_part_ends_before_the_next_and_shows_its_first_frame(film: Path) -> None:
    whole = decode(film)[1]
    decoding, pts = decode(film, stop_pts=whole[40])
    assert pts == whole[:40]
    assert decoding.next_frame is not None
    assert decoding.next_frame.pts == whole[40]


def test_a_part_that_begins_at_no_keyframe_is_refused(film: Path) -> None:
    whole = decode(film)[1]
    assert decode(film, start_pts=whole[25])[1] == whole[25:]
    with pytest.raises(MediaError) as caught:
        decode(film, start_pts=whole[30])
    assert caught.value.kind is ErrorKind.changed


def test_progress_is_told_packet_by_packet(film: Path) -> None:
    told: list[int] = []
    decode(film, progress=told.append)
    assert told == list(range(100))


def test_an_encrypted_film_is_said_to_be_encrypted(make_film: Any) -> None:
    key = "00112233445566778899aabbccddeeff"
    film = make_film(
        "secret.mp4",
        options={"encryption_scheme": "cenc-aes-ctr", "encryption_key": key, "encryption_kid": key},
    )
    with pytest.raises(MediaError) as caught:
        decode(film)
    assert caught.value.kind is ErrorKind.encrypted
