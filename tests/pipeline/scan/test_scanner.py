from __future__ import annotations

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

import pipeline.scan.slots
from pipeline.media.guard import DecoderChild
from pipeline.media.limits import MediaLimits
from pipeline.scan.config import ScanConfig
from pipeline.scan.scanner import VideoScanner
from schemas.errors import ErrorKind, MediaError
from schemas.video import Probe

VIDEO = "cd" * 16
LIMITS = MediaLimits()


def film(count: int, width: int = 160, height: int = 90) -> list[np.ndarray]:
    """Shots of 60 frames, each a pan over a picture of its own."""
    pictures = []
    for k in range(count):
        rng = np.random.default_rng(k // 60)
        coarse = rng.uniform(0, 255, (8, 16, 3)).astype(np.float32)
        wide = np.clip(cv2.resize(coarse, (width + 130, height)), 0, 255).astype(np.uint8)
        pictures.append(wide[:, 2 * (k % 60) : 2 * (k % 60) + width])
    return pictures


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr(pipeline.scan.slots.tempfile, "gettempdir", lambda: str(folder))
    return folder


def probe(path: Path) -> Probe:
    fd = os.open(path, os.O_RDONLY)
    try:
        with DecoderChild("pipeline.media.child", LIMITS) as child:
            return Probe.from_json(dict(child.call("probe", {}, fd).header))
    finally:
        os.close(fd)


def scan(path: Path, **config):
    with VideoScanner(ScanConfig(**config), LIMITS) as scanner:
        return scanner.scan(str(path), VIDEO, probe(path))


def test_a_video_gives_its_shots_clips_scores_and_previews(write_video):
    found = scan(write_video(film(180)))
    assert [(row["start_frame"], row["end_frame"]) for row in found.rows["shots"]] == [
        (0, 60),
        (60, 120),
        (120, 180),
    ]
    assert len(found.rows["clips"]) == len(found.rows["scores/scan"]) == 3
    assert found.num_frames == 180
    assert {name.split(".")[0] for name, _ in found.previews} == {row["clip_id"] for row in found.rows["clips"]}


@pytest.mark.parametrize("max_children", [1, 4])
def test_segments_give_exactly_what_one_piece_gives(write_video, own_temporary_folder, max_children):
    path = write_video(film(300), keyframe_every=12)
    whole = scan(path)
    plans: list[int] = []

    class Watched(VideoScanner):
        def _in_segments(self, fd, video_id, probe, segments):
            outcome = super()._in_segments(fd, video_id, probe, segments)
            plans.append(len(segments) if outcome is not None else 0)
            return outcome

    with Watched(ScanConfig(segment_s=2, max_children=max_children), LIMITS) as scanner:
        parts = scanner.scan(str(path), VIDEO, probe(path))
    assert plans == [6]
    assert parts == whole
    assert sorted(path.name for path in own_temporary_folder.glob("*scratch/*")) == ["lock"]


def test_a_file_with_one_keyframe_is_decoded_in_one_piece(write_video):
    path = write_video(film(150), keyframe_every=1000)
    assert scan(path, segment_s=1) == scan(path)


def test_a_child_that_is_killed_between_videos_costs_nothing(write_video):
    path = write_video(film(70))
    told = probe(path)
    with VideoScanner(ScanConfig(), LIMITS) as scanner:
        first = scanner.scan(str(path), VIDEO, told)
        os.kill(scanner._child.pid, signal.SIGKILL)
        assert scanner.scan(str(path), VIDEO, told) == first


def test_a_file_that_is_gone_is_an_io_error(tmp_path, write_video):
    path = write_video(film(3))
    told = probe(path)
    path.unlink()
    with VideoScanner(ScanConfig(), LIMITS) as scanner, pytest.raises(MediaError) as error:
        scanner.scan(str(path), VIDEO, told)
    assert error.value.kind is ErrorKind.io


def test_a_still_image_gives_one_clip_and_one_preview(tmp_path):
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), film(1)[0])
    found = scan(path)
    assert [row["num_frames"] for row in found.rows["clips"]] == [1]
    assert len(found.previews) == 1
