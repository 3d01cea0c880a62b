from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from schemas import ConfigError
from trainer import saver as module
from trainer.checkpoint import Piece, Pieces
from trainer.distributed import Ranks, ranks
from trainer.saver import Saver


@pytest.fixture(scope="module")
def alone() -> Iterator[Ranks]:
    with ranks() as joined:
        yield joined


def saver_of(folder: Path, alone: Ranks) -> Saver:
    return Saver(folder, run="r", shapes={"a": (4,)}, keep=2, ranks=alone)


def named(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir() if path.name.isdecimal())


def test_the_training_goes_on_while_a_checkpoint_is_written(
    alone: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write, write = threading.Event(), module._write_pieces

    def slow(path, pieces):
        assert may_write.wait(30)
        return write(path, pieces)

    monkeypatch.setattr(module, "_write_pieces", slow)
    saver, weight = saver_of(tmp_path, alone), torch.zeros(4)
    saver.begin([Piece("weight", "a", 0, weight)], step=1, state={})
    weight += 1
    assert not saver.is_written
    assert named(tmp_path) == []
    may_write.set()
    saver.finish()
    assert named(tmp_path) == ["00000001"]
    with Pieces(tmp_path / "checkpoints" / "00000001") as pieces:
        assert pieces.read("weight", "a", 0, 4).tolist() == [0, 0, 0, 0]


def test_the_next_one_waits_for_the_one_before(alone: Ranks, tmp_path: Path) -> None:
    saver = saver_of(tmp_path, alone)
    for step in (1, 2, 3):
        saver.begin([Piece("weight", "a", 0, torch.full((4,), float(step)))], step=step, state={})
    assert named(tmp_path) == ["00000001", "00000002"]
    saver.finish()
    saver.finish()
    assert named(tmp_path) == ["00000002", "00000003"]


def test_a_disk_that_is_full_is_told_when_the_checkpoint_is_finished(
    alone: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path, pieces):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_pieces", full)
    saver = saver_of(tmp_path, alone)
    saver.begin([Piece("weight", "a", 0, torch.ones(4))], step=1, state={})
    with pytest.raises(ConfigError, match="No space left"):
        saver.finish()
    assert named(tmp_path) == []
