from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import pipeline.media.torchvision_cpu  # noqa: F401
from infra.demo.tiny import tiny_film
from pipeline.manifest import Manifest
from pipeline.media import MediaLimits
from pipeline.media.container import open_container, quiet, select_stream
from pipeline.media.decode import Decoding
from pipeline.media.probe import probe
from schemas import ConfigError, content_id, digest
from trainer.autoencoder import AutoencoderConfig, find_autoencoder, load
from trainer.vae_train import TrainingClip, VaeTrainConfig, split, training_clips
from trainer.vae_train.checkpoint import learning_rate
from trainer.vae_train.evaluate import evaluate
from trainer.vae_train.loss import VggFeatures
from trainer.vae_train.source import Windows
from trainer.vae_train.train import CHECKPOINT_FILE, build, train

WAN = {"base_dim": 4, "dim_mult": [1, 1, 2, 2], "num_res_blocks": 1, "z_dim": 4}
MODELS = {
    "wan": ("AutoencoderKLWan", {**WAN, "patch_size": 2, "in_channels": 12, "out_channels": 12}),
    "ltx": (
        "AutoencoderKLLTXVideo",
        {
            **{"latent_channels": 8, "block_out_channels": [8, 8, 8, 8], "layers_per_block": [1, 1, 1, 1, 1]},
            **{"decoder_block_out_channels": [8, 8, 8, 8], "decoder_layers_per_block": [1, 1, 1, 1, 1]},
        },
    ),
    "picture": (
        "AutoencoderKL",
        {
            **{"block_out_channels": [8, 8], "layers_per_block": 1, "norm_num_groups": 4},
            **{"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2},
        },
    ),
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tiny films of three shots, as the scan leaves them."""
    import json

    quiet()
    root = tmp_path_factory.mktemp("films")
    manifest = Manifest(str(root / "ds"))
    rows: dict[str, list[dict[str, Any]]] = {"files": [], "videos": [], "clips": []}
    for number in range(3):
        path = root / f"film{number}.mp4"
        tiny_film(path, seed=number, size=(96, 64))
        with open_container(path) as container:
            probed = probe(container)
        with open_container(path) as container:
            decoding = Decoding(container, select_stream(container, 0, MediaLimits()), MediaLimits())
            times = [frame.pts for frame in decoding]
        ends = [*times, 2 * times[-1] - times[-2]]
        num, den = decoding.time_base.as_integer_ratio()
        video_id = content_id([path.read_bytes()])
        rows["files"].append({"uri": str(path), "video_id": video_id, "probe": json.dumps(probed.to_json())})
        rows["videos"].append({"uri": str(path), "video_id": video_id, "num_repaired_pts": 0})
        rows["clips"] += [
            {
                **{"clip_id": digest([number, k]), "video_id": video_id, "num_frames": 20},
                **{"start_pts": ends[20 * k], "end_pts": ends[20 * k + 20], "time_base_num": num, "time_base_den": den},
                **{"crop_x": 0, "crop_y": 0, "crop_width": 96, "crop_height": 64},
            }
            for k in range(3)
        ]
    for name, made in rows.items():
        manifest.append(name, made)
    return root / "ds"


def config_of(name: str = "wan", **values: Any) -> VaeTrainConfig:
    class_name, arguments = MODELS[name]
    window = {"frames": 5, "max_pixels": 64 * 32, "frame_rate": 25}
    defaults = {"steps": 6, "batch_clips": 2, "checkpoint_steps": 2, "num_measured": 3, "readers": 1, "warmup_steps": 2}
    return VaeTrainConfig.model_validate(
        {"model": {"class_name": class_name, "arguments": arguments}, "window": window, **defaults, **values}
    )


Trained = Callable[..., tuple[Path, list[float]]]


@pytest.fixture
def trained(dataset: Path, tmp_path: Path) -> Trained:
    """Train; gives the model's folder and the losses."""

    def do(
        config: VaeTrainConfig, out: str = "out", stop_at: int | None = None, *, finish: bool = False
    ) -> tuple[Path, list[float]]:
        losses: list[float] = []

        def report(done: int, loss: float) -> None:
            losses.append(loss)
            if done == stop_at:
                raise KeyboardInterrupt

        clips = training_clips([str(dataset)])
        folder = train(config, clips, tmp_path / out, MediaLimits(), nullcontext, report, finish=finish)
        return folder, losses

    return do


@pytest.mark.parametrize("model", MODELS)
def test_what_is_trained_is_an_autoencoder_of_ours(model: str, trained: Trained) -> None:
    folder, losses = trained(config_of(model, steps=2))
    assert len(losses) == 2
    loaded = load(find_autoencoder(AutoencoderConfig(model=str(folder))))
    pixels = torch.rand(3, 1 + loaded.stride[0], 64, 96) * 2 - 1
    assert loaded.decode(loaded.encode(pixels)).shape == pixels.shape
    assert sorted(path.name for path in folder.parent.iterdir()) == [CHECKPOINT_FILE, "vae"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_loss_falls(precision: str, trained: Trained) -> None:
    window = {"frames": 1, "max_pixels": 32 * 32, "frame_rate": 25}
    _, losses = trained(config_of("picture", steps=40, learning_rate=5e-3, window=window, precision=precision))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_latents_of_what_was_trained_on_have_unit_variance(trained: Trained, dataset: Path) -> None:
    config = config_of(num_measured=9)
    folder, _ = trained(config)
    model: Any = load(find_autoencoder(AutoencoderConfig(model=str(folder))))
    windows = Windows(config, training_clips([str(dataset)]), model.stride, MediaLimits(), nullcontext)
    latents = torch.cat([model.encode(window).flatten(1) for window in windows.middles(9)], dim=1)
    windows.close()
    torch.testing.assert_close(latents.mean(1), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std(1), torch.ones(4), atol=0.01, rtol=0)


@pytest.mark.parametrize("model", MODELS)
def test_half_precision_computes_with_rounded_weights_and_keeps_whole_ones(model: str, trained: Trained) -> None:
    whole, losses = trained(config_of(model, steps=4), "whole")
    half, rounded = trained(config_of(model, steps=4, precision="bf16"), "half")
    assert rounded != losses
    assert rounded == pytest.approx(losses, rel=0.05)
    one, other = (load_file(folder / "diffusion_pytorch_model.safetensors") for folder in (whole, half))
    for name, value in other.items():
        assert value.dtype == torch.float32
        if value.ndim >= 4:
            assert not torch.equal(value, value.bfloat16().float()), name
            torch.testing.assert_close(value, one[name], atol=2e-2, rtol=0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_run_ends_as_one_that_was_not(precision: str, trained: Trained) -> None:
    config = config_of(precision=precision)
    whole, _ = trained(config, "whole")
    with pytest.raises(KeyboardInterrupt):
        # Between two checkpoints: the step after the last one is done again.
        trained(config, "stopped", stop_at=3)
    resumed, losses = trained(config, "stopped")
    assert len(losses) == 4
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes()
    first, second = (load_file(folder.parent / CHECKPOINT_FILE) for folder in (whole, resumed))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_can_be_finished_where_it_was_stopped(trained: Trained) -> None:
    with pytest.raises(ConfigError, match="no checkpoint to finish"):
        trained(config_of(), finish=True)
    with pytest.raises(KeyboardInterrupt):
        trained(config_of(), stop_at=4)
    folder, losses = trained(config_of(), finish=True)
    assert losses == []
    held = load_file(folder.parent / CHECKPOINT_FILE)
    saved = load_file(folder / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(saved[name], held[f"mean.{name}"]) for name in saved)


def test_a_checkpoint_of_another_run_is_refused(trained: Trained, tmp_path: Path) -> None:
    trained(config_of())
    with pytest.raises(ConfigError, match="is of a run with another config or other clips"):
        trained(config_of(seed=1))
    (tmp_path / "out" / CHECKPOINT_FILE).write_bytes(b"x" * 100)
    with pytest.raises(ConfigError, match="is no checkpoint"):
        trained(config_of())


def test_a_killed_run_leaves_a_whole_checkpoint_and_goes_on(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    config = config_of(checkpoint_steps=1, steps=6)
    (tmp_path / "config.yaml").write_text(config.model_dump_json())
    command = [sys.executable, "-m", "infra.cli.main", "vae", "train", str(tmp_path / "config.yaml")]
    command += ["--dataset", str(dataset), "--out", str(tmp_path / "killed"), "held_out_share=0"]
    checkpoint = tmp_path / "killed" / CHECKPOINT_FILE
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE) as run:
        while not checkpoint.exists():
            assert run.poll() is None
        os.kill(run.pid, signal.SIGKILL)
    assert len(load_file(checkpoint)) > 10
    _, losses = trained(config_of(checkpoint_steps=1, held_out_share=0), "killed")
    assert 0 < len(losses) < 6


def test_one_that_was_trained_before_can_be_gone_on_from(trained: Trained) -> None:
    folder, _ = trained(config_of(), "first")
    config = config_of(model={"class_name": "AutoencoderKLWan", "start_from": str(folder)})
    begun = build(config.model).state_dict()
    held = load_file(folder / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(begun[name], held[name]) for name in begun)
    trained(config, "second")
    with pytest.raises(ConfigError, match="say so in class_name"):
        build(config.model.model_copy(update={"class_name": "AutoencoderKL"}))


def test_a_film_that_cannot_be_read_is_passed_over(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    def with_bad(num_bad: int) -> list[TrainingClip]:
        clips = training_clips([str(dataset)])
        for k in range(num_bad):
            clips[k] = TrainingClip(**{**fields_of(clips[k]), "uri": str(tmp_path / "gone.mp4")})
        return clips

    folder = train(config_of(), with_bad(1), tmp_path / "one", MediaLimits(), nullcontext, lambda done, loss: None)
    assert folder.is_dir()
    with pytest.raises(ConfigError, match=r"clips in turn cannot be read; the last: .*gone.mp4"):
        train(config_of(), with_bad(9), tmp_path / "all", MediaLimits(), nullcontext, lambda done, loss: None)


def fields_of(clip: TrainingClip) -> dict[str, Any]:
    return {name: getattr(clip, name) for name in TrainingClip.__dataclass_fields__}


def test_a_model_that_cannot_be_built_is_one_sentence(trained: Trained) -> None:
    with pytest.raises(ConfigError, match=r"model.arguments: AutoencoderKLWan cannot be built: .*unexpected keyword"):
        trained(config_of(model={"class_name": "AutoencoderKLWan", "arguments": {"wide": 3}}))
    arguments = {**WAN, "temperal_downsample": [True, True, True]}
    with pytest.raises(ConfigError, match="compresses time 8 times"):
        trained(config_of(model={"class_name": "AutoencoderKLWan", "arguments": arguments}))
    with pytest.raises(ValueError, match="class_name must be one of AutoencoderKLWan"):
        config_of(model={"class_name": "Autoencoder"})


def test_features_of_pictures_can_have_a_part_in_the_loss(trained: Trained, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(VggFeatures().state_dict(), tmp_path / "vgg.safetensors")
    loss = {"perceptual": 0.5, "perceptual_weights": str(tmp_path / "vgg.safetensors")}
    _, with_features = trained(config_of(steps=1, loss=loss), "with")
    _, without = trained(config_of(steps=1), "without")
    assert with_features[0] > without[0]
    shutil.copy(tmp_path / "with" / CHECKPOINT_FILE, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="is no VGG-16"):
        trained(config_of(loss={**loss, "perceptual_weights": str(tmp_path / "other.safetensors")}), "wrong")
    with pytest.raises(ValueError, match="perceptual needs perceptual_weights"):
        config_of(loss={"perceptual": 1.0})


def test_figures_are_of_what_is_kept_back(trained: Trained, dataset: Path) -> None:
    config = config_of()
    folder, _ = trained(config)
    model = load(find_autoencoder(AutoencoderConfig(model=str(folder))))
    windows = Windows(config, training_clips([str(dataset)]), model.stride, MediaLimits(), nullcontext)
    found = evaluate(model, windows.middles(2))
    windows.close()
    assert found.num_clips == 2
    assert 0 < found.psnr_db < 40
    assert found.motion > 0.5
    with pytest.raises(ConfigError, match="no clips to measure by"):
        evaluate(model, [])


def test_no_video_is_both_learnt_from_and_kept_back(dataset: Path) -> None:
    clips = training_clips([str(dataset)])
    assert len(clips) == 9
    for share in (0.0, 0.3, 0.5, 0.999):
        learnt, kept = split(clips, share)
        assert {clip.video_id for clip in learnt}.isdisjoint({clip.video_id for clip in kept})
        assert sorted(clip.clip_id for clip in [*learnt, *kept]) == [clip.clip_id for clip in clips]
    assert split(clips, 0.0)[1] == []
    with pytest.raises(ConfigError, match="there are no clips"):
        training_clips([str(dataset / "nothing")])


def test_the_rate_rises_and_falls() -> None:
    config = config_of(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.1 < rates[-1] < 0.11
