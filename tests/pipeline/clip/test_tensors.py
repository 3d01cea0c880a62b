from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.clip.tensors import read_matrix, read_tensors, write_tensors
from schemas import ConfigError, file_digest


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin", ".pth"])
def test_tensors_come_back_from_each_form(tmp_path: Path, suffix: str) -> None:
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(1, dtype=torch.float16)}
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(tensors, path)
    back = read_tensors(path, "w")
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


def test_a_training_checkpoint_gives_its_state_dict_without_module(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {"module.a": torch.ones(2)}}, tmp_path / "epoch.pt")
    assert list(read_tensors(tmp_path / "epoch.pt", "w")) == ["a"]


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path: Path, how: str) -> None:
    path, ran = tmp_path / "evil.pt", tmp_path / "ran"
    if how == "torch":
        torch.save({"state_dict": {"a": Trap(ran)}}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(ran)))
    with pytest.raises(ConfigError, match=r"embedding.weights: .*evil.pt is not a checkpoint of tensors alone"):
        read_tensors(path, "embedding.weights")
    assert not ran.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize(
    "data", [pytest.param(b"", id="empty"), pytest.param(b"hello" * 99, id="text"), pytest.param(b"PK\3\4x", id="zip")]
)
def test_what_is_no_checkpoint_is_refused_by_its_name(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"nothing{suffix}"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"w: .*nothing"):
        read_tensors(path, "w")


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_checkpoint_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for suffix, save in ((".safetensors", save_file), (".pt", torch.save)):
        path = tmp_path / f"damaged{suffix}"
        save({"a": torch.ones(64), "b": torch.zeros(3, 3)}, path)
        data = bytearray(path.read_bytes())
        for _ in range(4):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(len(data) // 2, len(data) + 1))])
        with contextlib.suppress(ConfigError):
            assert read_tensors(path, "w")


@pytest.mark.parametrize(
    "held", [pytest.param({}, id="none"), pytest.param([torch.ones(1)], id="list"), pytest.param({"a": 1}, id="number")]
)
def test_a_file_without_named_tensors_is_no_checkpoint(tmp_path: Path, held: object) -> None:
    torch.save(held, tmp_path / "held.pt")
    with pytest.raises(ConfigError, match="holds no named tensors"):
        read_tensors(tmp_path / "held.pt", "w")


def test_values_that_are_not_finite_are_named(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])}, tmp_path / "nan.safetensors")
    with pytest.raises(ConfigError, match="b holds values that are not finite"):
        read_tensors(tmp_path / "nan.safetensors", "w")


def test_a_missing_file_and_an_unknown_ending_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"w: there is no file .*gone.pt"):
        read_tensors(tmp_path / "gone.pt", "w")
    (tmp_path / "weights.npz").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"weights.npz must end in one of"):
        read_tensors(tmp_path / "weights.npz", "w")


def test_a_matrix_comes_back_from_both_forms(tmp_path: Path) -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "rows.npy", rows)
    save_file({"embeddings": torch.from_numpy(rows)}, tmp_path / "rows.safetensors")
    for suffix in (".npy", ".safetensors"):
        assert np.array_equal(read_matrix(tmp_path / f"rows{suffix}", "m"), rows)


def test_a_matrix_of_objects_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([[Trap(tmp_path / "ran")]], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match=r"rows.npy is not an .npy file of numbers"):
        read_matrix(tmp_path / "rows.npy", "m")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(np.ones(3, np.float32), "shape", id="a vector"),
        pytest.param(np.array([["a"]]), "must hold rows of numbers", id="text"),
        pytest.param(np.array([[np.inf]]), "not finite", id="infinity"),
        pytest.param(np.ones((0, 3)), "shape", id="no rows"),
    ],
)
def test_what_is_no_matrix_is_refused(tmp_path: Path, rows: np.ndarray, said: str) -> None:
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(ConfigError, match=said):
        read_matrix(tmp_path / "rows.npy", "m")


def test_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(2)})
    first = file_digest(tmp_path / "a.safetensors")
    write_tensors(tmp_path / "a.safetensors", {"a": torch.zeros(2)})
    assert file_digest(tmp_path / "a.safetensors") != first
    write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(2)})
    assert file_digest(tmp_path / "a.safetensors") == first
