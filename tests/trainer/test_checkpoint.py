from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from schemas import ConfigError
from trainer import checkpoint
from trainer.checkpoint import DamagedError, Piece, Pieces
from trainer.distributed import Ranks, ranks
from trainer.saver import Saver, _write_pieces


@pytest.fixture(scope="module")
def alone() -> Iterator[Ranks]:
    with ranks() as joined:
        yield joined


WEIGHT = torch.arange(12.0)


def write(folder: Path, alone: Ranks, step: int, keep: int = 2) -> Path:
    pieces = [
        Piece("weight", "a", 0, WEIGHT[:5] + step),
        Piece("weight", "b", 0, torch.ones(2)),
        Piece("exp_avg", "a", 0, WEIGHT * 2),
    ]
    saver = Saver(folder, run="r", shapes={"a": (3, 4), "b": (2,)}, keep=keep, ranks=alone)
    saver.begin(pieces, step=step, state={"guard": {"mean": 0.1}})
    saver.finish()
    return folder / "checkpoints" / f"{step:08d}"


def add_rank(folder: Path, piece: Piece) -> None:
    """A file of another rank."""
    about = json.loads((folder / "checkpoint.json").read_text())
    about["files"]["rank-00001.safetensors"] = _write_pieces(folder / "rank-00001.safetensors", [piece])
    (folder / "checkpoint.json").write_text(json.dumps(about))


def test_pieces_of_several_ranks_make_a_whole_and_any_part_of_it(alone: Ranks, tmp_path: Path) -> None:
    folder = write(tmp_path, alone, 0)
    add_rank(folder, Piece("weight", "a", 5, WEIGHT[5:]))
    checkpoint.check(folder)
    with Pieces(folder) as pieces:
        assert dict(pieces.whole("weight"))["a"].tolist() == WEIGHT.reshape(3, 4).tolist()
        assert pieces.read("weight", "a", 3, 6).tolist() == [3, 4, 5, 6, 7, 8]
        assert pieces.kinds() == ["exp_avg", "weight"]
        assert pieces.has("exp_avg", "a")
        assert not pieces.has("exp_avg", "b")
        assert pieces.about.state == {"guard": {"mean": 0.1}}


def test_a_part_that_no_rank_has_is_missed(alone: Ranks, tmp_path: Path) -> None:
    with Pieces(write(tmp_path, alone, 0)) as pieces, pytest.raises(DamagedError, match="weight of a has 5 of 12"):
        pieces.read("weight", "a", 0, 12)


def test_the_newest_are_kept(alone: Ranks, tmp_path: Path) -> None:
    for step in (1, 2, 10, 9):
        write(tmp_path, alone, step)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["00000009", "00000010"]


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda folder: (folder / "rank-00000.safetensors").unlink(), id="a file is gone"),
        pytest.param(lambda folder: flip(folder / "rank-00000.safetensors", -3), id="a bit is turned"),
        pytest.param(lambda folder: os.truncate(folder / "rank-00000.safetensors", 100), id="cut off"),
        pytest.param(lambda folder: (folder / "checkpoint.json").write_text("{"), id="its description is none"),
        pytest.param(lambda folder: (folder / "checkpoint.json").write_text('{"version": 9}'), id="another version"),
    ],
)
def test_the_newest_broken_one_is_passed_over_with_a_warning(harm, alone: Ranks, tmp_path: Path) -> None:
    write(tmp_path, alone, 1)
    harm(write(tmp_path, alone, 2))
    told: list[str] = []
    found = checkpoint.newest(tmp_path, told.append)
    assert found is not None
    assert found.name == "00000001"
    assert len(told) == 1
    assert "00000002" in told[0]


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_where_none_can_be_read_a_run_does_not_begin_anew(alone: Ranks, tmp_path: Path) -> None:
    flip(write(tmp_path, alone, 1) / "rank-00000.safetensors", -1)
    with pytest.raises(ConfigError, match="none of 1 checkpoints can be read"):
        checkpoint.newest(tmp_path, lambda text: None)
    assert checkpoint.newest(tmp_path / "other", lambda text: None) is None


def test_what_a_kill_left_half_written_is_no_checkpoint(alone: Ranks, tmp_path: Path) -> None:
    write(tmp_path, alone, 1)
    half = tmp_path / "checkpoints" / ".scratch-00000002"
    half.mkdir()
    (half / "rank-00000.safetensors").write_bytes(b"half")
    assert checkpoint.newest(tmp_path, lambda text: None) == tmp_path / "checkpoints" / "00000001"
    write(tmp_path, alone, 2)
    assert not half.exists()


def test_a_file_name_cannot_lead_out_of_the_folder(alone: Ranks, tmp_path: Path) -> None:
    folder = write(tmp_path, alone, 1)
    about = json.loads((folder / "checkpoint.json").read_text())
    about["files"] = {"../../secret": "0"}
    (folder / "checkpoint.json").write_text(json.dumps(about))
    with pytest.raises(DamagedError):
        checkpoint.check(folder)


def test_a_folder_that_cannot_be_written_is_the_user_s_mistake(alone: Ranks, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(tmp_path, alone, 1)
