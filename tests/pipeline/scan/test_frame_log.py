from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from pipeline.scan.frame_log import FrameLog


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((64, 96, 3), 3 * k, np.uint8) for k in range(count)]


def test_a_written_log_is_read_back_as_it_was(measured, tmp_path):
    log = measured(pictures(60))
    path = tmp_path / "a.log"
    with path.open("xb") as file:
        log.write(file)
    back = FrameLog.open(path)
    for field in fields(FrameLog):
        assert np.array_equal(getattr(back, field.name), getattr(log, field.name)), field.name
    assert back.jpeg(1) == log.jpeg(1)
    assert not back.thumbs.flags.writeable


def test_a_log_that_is_cut_short_is_refused(measured, tmp_path):
    path = tmp_path / "a.log"
    with path.open("xb") as file:
        measured(pictures(30)).write(file)
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(ValueError, match="cut short"):
        FrameLog.open(path)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(ValueError, match="not a frame log"):
        FrameLog.open(path)
