from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import ConfigError
from trainer.sampling import SamplingConfig, find_model
from trainer.times import FlowConfig

Config = Callable[..., SamplingConfig]


@pytest.fixture
def copied(sample_folders: dict[str, Path], tmp_path: Path) -> Callable[..., str]:
    """A copy of the model, with some of its `config.json` replaced or, for None, left out."""

    def copy(**changes: Any) -> str:
        folder = tmp_path / "model"
        shutil.copytree(sample_folders["model-video"], folder)
        path = folder / "transformer" / "config.json"
        about = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in about.items() if value is not None}))
        return str(folder)

    return copy


def test_a_model_is_found_with_what_training_said_of_it(sampling_config: Config) -> None:
    source = find_model(sampling_config())
    assert source.flow == FlowConfig()
    assert (source.shape.depth, source.shape.width, source.shape.heads) == (2, 32, 2)
    assert (source.patch_channels, source.text_width, source.step) == (16, 128, 3)
    assert (source.grid.stride, source.grid.patch, source.grid.channels) == ((4, 8, 8), (1, 2, 2), 4)
    assert len(source.digest) == 32


def test_the_folder_of_the_run_may_be_named(sample_folders: dict[str, Path], sampling_config: Config) -> None:
    run = sample_folders["video"].parent / "run"
    # Its latents were made, so its digests are of no autoencoder: that is as far as it gets.
    with pytest.raises(ConfigError, match=f"the model was trained with {'a' * 32}: it is another one"):
        find_model(sampling_config(model=str(run)))


def test_another_autoencoder_is_refused(sample_folders: dict[str, Path], sampling_config: Config) -> None:
    other = {"model": str(sample_folders["pictures"])}
    with pytest.raises(
        ConfigError, match=r"^autoencoder.model: has digest \w{32}, and the model was trained with \w{32}"
    ):
        find_model(sampling_config(autoencoder=other))


@pytest.mark.parametrize("changes", [{"max_tokens": 20}, {"dtype": "bfloat16"}])
def test_other_settings_of_the_text_encoder_are_refused(
    sample_values: Callable[..., dict[str, Any]], changes: dict[str, Any]
) -> None:
    values = sample_values()
    values["text_encoder"] = {**values["text_encoder"], **changes}
    with pytest.raises(ConfigError, match=r"text_encoder.model: has digest .* or max_tokens, skip_layers or dtype"):
        find_model(SamplingConfig.model_validate(values))


@pytest.mark.parametrize("name", ["autoencoder", "text_encoder"])
def test_encoders_that_are_not_named_are_asked_for(sampling_config: Config, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.model: is missing"):
        find_model(sampling_config(**{name: {}}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"version": 1}, "is of 'DiT', version 1; we sample from 'DiT', version 2", id="version"),
        pytest.param({"_class_name": "UNet"}, "is of 'UNet'", id="class"),
        pytest.param({"digests": None}, "is of another version: it has no 'digests'", id="no digests"),
        pytest.param({"flow": {"prediction": "noise"}}, "is of another version: prediction: ", id="prediction"),
        pytest.param({"patch_channels": None}, "is of another version: KeyError", id="no channels"),
        pytest.param(
            {"patch_channels": 64}, "gives 4 channels, and .* trained on patches of 64 numbers", id="channels"
        ),
        pytest.param({"rope": {"base": 3}}, "is of another version: rope.base: ", id="positions"),
        pytest.param({"heads": 7}, "is of another version: ", id="heads"),
    ],
)
def test_a_model_of_another_version_is_refused_in_one_sentence(
    copied: Callable[..., str], sampling_config: Config, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        find_model(sampling_config(model=copied(**changes)))
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_and_a_run_under_way_are_told_apart(tmp_path: Path, sampling_config: Config) -> None:
    with pytest.raises(ConfigError, match="holds no exported model"):
        find_model(sampling_config(model=str(tmp_path)))
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ConfigError, match="has not come to its end"):
        find_model(sampling_config(model=str(tmp_path)))


def test_weights_that_are_cut_off_are_refused(copied: Callable[..., str], sampling_config: Config) -> None:
    folder = copied()
    (path,) = (Path(folder) / "transformer").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match="is cut off or no file of weights"):
        find_model(sampling_config(model=folder))
