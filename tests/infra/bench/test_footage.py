from __future__ import annotations

from pathlib import Path

import av
import pytest

from infra.bench.footage import drawn_videos, once, repeated, tiny_videos


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_tiny_videos_differ_in_content_and_decode(tmp_path: Path) -> None:
    paths = sorted(tiny_videos(tmp_path / "tiny", 7, num_variants=3).rglob("*.mp4"))
    assert len({path.read_bytes() for path in paths}) == 7
    assert [frames(path) for path in paths[:3]] == [10, 20, 30]


def test_a_repeated_film_is_as_long_as_asked_for_and_its_times_go_forward(tmp_path: Path) -> None:
    film = next(drawn_videos(tmp_path / "films", 1, num_frames=25, width=64, height=48).rglob("*.mp4"))
    path = once(tmp_path / "long.mp4", lambda target: repeated(film, target, seconds=3))
    with av.open(str(path)) as container:
        times = [frame.pts for frame in container.decode(video=0)]
    assert len(times) == 75
    assert times == sorted(set(times))


def test_a_file_that_could_not_be_finished_is_not_taken_for_one(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(tmp_path / "a.mp4", fail)
    assert not (tmp_path / "a.mp4").exists()
