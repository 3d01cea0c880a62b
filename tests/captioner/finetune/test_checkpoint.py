import json
from pathlib import Path

import pytest
import torch

from captioner.finetune.checkpoint import WEIGHTS, Progress, newest, rank_file, save, seal


def write(folder: Path, step: int, value: float = 0.0) -> None:
    save(folder, step, {rank_file(0): {"m": torch.full((3,), value)}, WEIGHTS: {"w": torch.full((2,), value)}})
    seal(folder, Progress(step, best=0.5, misses=1), "run", 1)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    write(tmp_path, 7, 2.0)
    found = newest(tmp_path, "run", 1)
    assert found is not None
    assert found.progress == Progress(7, 0.5, 1)
    assert found.weights()["w"].tolist() == [2.0, 2.0]
    assert found.states(0)["m"].tolist() == [2.0, 2.0, 2.0]


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000002", "00000003"]


def test_one_that_was_not_finished_is_no_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 4, {rank_file(0): {"m": torch.zeros(1)}})
    assert newest(tmp_path, "run", 1) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "state"])
def test_a_broken_one_is_passed_over_with_a_warning(tmp_path: Path, damage: str) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    path = tmp_path / "00000002" / ("state.json" if damage == "state" else WEIGHTS)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if damage == "flip" else data[: len(data) // 2])
    with pytest.warns(UserWarning, match="passed over"):
        found = newest(tmp_path, "run", 1)
    assert found is not None
    assert found.progress.step == 1


def test_anothers_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with pytest.raises(ValueError, match="another training"):
        newest(tmp_path, "other", 1)
    with pytest.raises(ValueError, match="written by 1 ranks, and these are 2"):
        newest(tmp_path, "run", 2)


def test_the_state_is_plain_json(tmp_path: Path) -> None:
    write(tmp_path, 1)
    state = json.loads((tmp_path / "00000001" / "state.json").read_text())
    assert state["progress"] == {"step": 1, "best": 0.5, "misses": 1}
