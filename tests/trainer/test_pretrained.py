from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from schemas import ConfigError
from trainer.pretrained import find_pretrained


def model_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"size": 3}')
    save_file({"weight": torch.ones(3)}, folder / "model.safetensors")
    return folder


def complaint(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        find_pretrained(name, key="encode.model")
    assert str(caught.value).startswith("encode.model: ")
    return str(caught.value)


def test_a_folder_is_what_it_holds(tmp_path: Path) -> None:
    found = find_pretrained(str(model_in(tmp_path / "one")), key="k")
    same = find_pretrained(str(model_in(tmp_path / "two")), key="k")
    assert found.about == {"size": 3}
    assert found.digest == same.digest
    # What decides nothing does not count; what does, does.
    (tmp_path / "two" / "README.md").write_text("hello")
    assert find_pretrained(str(tmp_path / "two"), key="k").digest == found.digest
    (tmp_path / "two" / "vocab.txt").write_text("hello")
    assert find_pretrained(str(tmp_path / "two"), key="k").digest != found.digest


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    folder = model_in(tmp_path / "one")
    assert "there is no such folder" in complaint(f"{tmp_path}/none")
    (folder / "config.json").write_text("[1]")
    assert "must hold keys and values" in complaint(str(folder))
    (folder / "config.json").write_text("{")
    assert "cannot be read" in complaint(str(folder))
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\xff" * 20)
    assert "is cut off or no file of weights" in complaint(str(folder))
    (folder / "model.safetensors").rename(folder / "model.bin")
    assert "model.bin may hold code and is not loaded" in complaint(str(folder))


def test_a_model_of_the_hub_comes_from_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--owner--model"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    model_in(cached / "snapshots" / ("0" * 40) / "vae")
    found = find_pretrained("owner/model/vae", key="k")
    assert found.path == cached / "snapshots" / ("0" * 40) / "vae"
    assert "cannot be had from the hub" in complaint("owner/other/vae")


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    # Nobody listens on this port.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be had from the hub" in complaint("owner/model")
