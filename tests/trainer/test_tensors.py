from __future__ import annotations

import pickle

import pytest
import torch

from schemas import ConfigError
from trainer.tensors import read_tensor_bytes, tensor_bytes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_tensors_come_back_as_they_were(dtype: torch.dtype) -> None:
    tensors = {"dense": torch.randn(3, 4).to(dtype), "short": torch.empty(0, 4, dtype=dtype)}
    found = read_tensor_bytes(tensor_bytes(tensors), "x")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == dtype for name in tensors)
    turned = dict(reversed(tensors.items()))
    assert tensor_bytes(turned) == tensor_bytes(tensors)
    # However they lie in memory.
    strided = {"dense": tensors["dense"].T.contiguous().T, "short": tensors["short"]}
    assert tensor_bytes(strided) == tensor_bytes(tensors)
    assert read_tensor_bytes(tensor_bytes({}), "x") == {}


def test_what_is_no_tensor_file_is_refused() -> None:
    good = tensor_bytes({"latent": torch.ones(8)})
    for data in (b"", b"x" * 50, good[:-1], pickle.dumps({"latent": 1}), b"\xff" * 8 + good):
        with pytest.raises(ConfigError, match=r"KEY.latent: is no safetensors file"):
            read_tensor_bytes(data, "KEY.latent")


def test_numbers_that_are_none_are_refused() -> None:
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="latent holds values that are not finite"):
            read_tensor_bytes(tensor_bytes({"latent": torch.tensor([1.0, bad])}), "x")
