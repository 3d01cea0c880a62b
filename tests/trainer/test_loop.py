from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from infra.bench.made_shards import LATENT_SET, TEXT_SET, make_shards
from pipeline.manifest import Manifest
from pipeline.shards import ShardStore
from schemas import ConfigError
from trainer import checkpoint
from trainer.config import TrainConfig
from trainer.data import PackReader
from trainer.distributed import ranks
from trainer.export import load_model
from trainer.held_out import HeldOut
from trainer.loop import train
from trainer.metrics import StepRecord
from trainer.prepare import patch_channels, pin, split
from trainer.run_folder import Pinned, RunFolder
from trainer.steps import Steps, clips_digest

Config = Callable[..., TrainConfig]
Log = Callable[[Path], list[dict[str, Any]]]


def run(config: TrainConfig, dataset: str, out: Path, *, resume: bool = False, stop: int | None = None) -> list[float]:
    """The losses of a run; with `stop` it ends there as if somebody had pressed Ctrl-C."""
    losses: list[float] = []

    def report(record: StepRecord) -> None:
        losses.append(record.loss)
        if record.step == stop:
            raise KeyboardInterrupt

    if stop is None:
        train(config, dataset, out, resume=resume, report=report)
    else:
        with pytest.raises(KeyboardInterrupt):
            train(config, dataset, out, resume=resume, report=report)
    return losses


@pytest.fixture(scope="module")
def straight(made_shards: str, tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ten steps that nothing has disturbed."""
    out = tmp_path_factory.mktemp("straight") / "run"
    run(tiny_config(), made_shards, out)
    return out


def compared(path: Path, read_log: Log) -> list[tuple[Any, ...]]:
    """What of a run's steps may not depend on how it was done."""
    names = ("step", "epoch", "loss", "tokens", "waste", "grad_norm", "num_samples", "clip_ids_digest")
    return [tuple(line[name] for name in names) for line in read_log(path / "steps.jsonl")]


def weights(path: Path, step: int = 10) -> dict[str, torch.Tensor]:
    with checkpoint.Pieces(path / "checkpoints" / f"{step:08d}") as pieces:
        return dict(pieces.whole("weight"))


def test_each_step_is_told_in_full(straight: Path, read_log: Log) -> None:
    lines = read_log(straight / "steps.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 11))
    for line in lines:
        assert {"loss", "tokens", "useful_tokens_per_s", "waste", "mfu", "data_wait_s", "straggler"} <= line.keys()
        assert {"grad_norm", "clip_ids_digest"} <= line.keys()
        assert 0 <= line["waste"] < 0.6
        assert 0 < line["mfu"] < 1
        assert line["straggler"] == 0
        assert line["tokens"] == round((1 - line["waste"]) * 2 * 128)


def test_the_clips_of_a_step_can_be_told_afterwards(straight: Path, tiny_config: Config, read_log: Log) -> None:
    config = tiny_config()
    pinned = RunFolder(straight).load(config)
    learnt, held = split(pinned.rows, config)
    assert len(learnt) + len(held) == 40
    steps = Steps(learnt, config, patch_channels=patch_channels(config, pinned), text_width=pinned.text_width)
    for line in read_log(straight / "steps.jsonl"):
        assert clips_digest(steps.clip_ids(line["step"] - 1)) == line["clip_ids_digest"]
    first_epoch = [line["step"] for line in read_log(straight / "steps.jsonl") if line["epoch"] == 0]
    seen = [name for step in first_epoch for name in steps.clip_ids(step - 1)]
    assert sorted(seen) == learnt.clip_ids


def test_the_loss_on_held_out_videos_is_told_by_time_size_and_task(straight: Path, read_log: Log) -> None:
    lines = read_log(straight / "heldout.jsonl")
    assert [line["step"] for line in lines] == [5, 10]
    for line in lines:
        assert list(line["by_time"]) == ["0.1667", "0.5000", "0.8333"]
        assert line["num_trials"] == 6
        assert sum(cell["num_trials"] for cell in line["cells"]) == 6
        assert line["loss"] == pytest.approx(sum(cell["loss"] * cell["num_trials"] for cell in line["cells"]) / 6)
        # Hardly trained, it says nearly nothing, which is worse than a line through the patches.
        assert 1 < line["loss_over_linear"] < 10


def test_the_running_mean_is_exported_and_loads_as_a_model(straight: Path) -> None:
    model, about = load_model(straight / "model")
    assert about["step"] == 10
    assert about["digests"]["autoencoder_digest"] == "a" * 32
    exported = load_file(straight / "model" / "transformer" / "diffusion_pytorch_model.safetensors")
    with checkpoint.Pieces(straight / "checkpoints" / "00000010") as pieces:
        mean = dict(pieces.whole("ema"))
    assert all(torch.equal(mean[name], tensor) for name, tensor in exported.items())
    assert all(torch.equal(mean[name], tensor) for name, tensor in model.state_dict().items())
    assert any(not torch.equal(mean[name], tensor) for name, tensor in weights(straight).items())


class Told:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def begin(self, pinned: Pinned) -> None:
        assert pinned.digests["autoencoder_digest"] == "a" * 32

    def __call__(self, model: Path, step: int) -> None:
        _, about = load_model(model)
        assert about["step"] == step
        # What makes samples may draw numbers; the training does not depend on it.
        torch.rand(1)
        self.steps.append(step)


def test_samples_are_made_with_the_model_of_the_step_and_change_nothing(
    straight: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    show, out = Told(), tmp_path / "run"
    config = tiny_config(samples={"every_steps": 4})
    train(config, made_shards, out, resume=False, report=lambda record: None, show=show)
    assert show.steps == [4, 8, 10]
    assert compared(out, read_log) == compared(straight, read_log)
    assert read_log(out / "heldout.jsonl") == read_log(straight / "heldout.jsonl")


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_the_mean_is_what_is_measured_and_the_weights_come_back(
    stage: int, straight: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    config, out = tiny_config(engine={"zero_stage": stage}), tmp_path / "run"
    run(config, made_shards, out)
    for ours, theirs in zip(compared(out, read_log), compared(straight, read_log), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    pinned = RunFolder(out).load(config)
    _, held = split(pinned.rows, config)
    widths = {"patch_channels": patch_channels(config, pinned), "text_width": pinned.text_width}
    with ranks() as alone:
        model, _ = load_model(out / "model")
        found = HeldOut(ShardStore(made_shards), held, config, None, **widths).measure(model, alone)
    assert found is not None
    assert read_log(out / "heldout.jsonl")[-1]["loss"] == pytest.approx(found["loss"], abs=1e-5)


def test_a_stopped_run_goes_on_bit_by_bit(
    straight: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    out = tmp_path / "run"
    run(tiny_config(), made_shards, out, stop=8)
    run(tiny_config(), made_shards, out, resume=True)
    assert compared(out, read_log) == compared(straight, read_log)
    assert read_log(out / "heldout.jsonl") == read_log(straight / "heldout.jsonl")
    files = [path / "checkpoints" / "00000010" / "rank-00000.safetensors" for path in (out, straight)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_broken_newest_checkpoint_costs_its_steps_and_nothing_else(
    straight: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log, capsys: Any
) -> None:
    out = tmp_path / "run"
    shutil.copytree(straight, out)
    broken = out / "checkpoints" / "00000010" / "rank-00000.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1])
    run(tiny_config(), made_shards, out, resume=True)
    assert "rank-00000.safetensors is damaged; it is passed over" in capsys.readouterr().err
    assert compared(out, read_log) == compared(straight, read_log)


@pytest.mark.parametrize("stage", [2, 3])
def test_every_stage_of_zero_gives_the_same_losses(
    stage: int, straight: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    """The first half under that stage, the second under ZeRO-1, from a checkpoint of the other."""
    out = tmp_path / "run"
    run(tiny_config(engine={"zero_stage": stage}), made_shards, out, stop=6)
    run(tiny_config(), made_shards, out, resume=True)
    found, expected = (read_log(path / "steps.jsonl") for path in (out, straight))
    assert [line["loss"] for line in found] == pytest.approx([line["loss"] for line in expected], abs=1e-6)
    for name, tensor in weights(straight).items():
        assert torch.allclose(weights(out)[name], tensor, atol=2e-5)


def test_tokens_that_fill_a_pack_up_teach_nothing(
    straight: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    config = tiny_config(packing={"multiple": 96}, steps=5)
    run(config, made_shards, tmp_path / "run")
    found, expected = (read_log(path / "steps.jsonl")[:5] for path in (tmp_path / "run", straight))
    for key in ("loss", "tokens", "waste", "clip_ids_digest"):
        assert [line[key] for line in found] == [
            pytest.approx(line[key], abs=1e-6) if key == "loss" else line[key] for line in expected
        ]


def test_packs_are_as_long_as_the_config_asks(made_shards: str, tiny_config: Config) -> None:
    config = tiny_config(packing={"multiple": 96})
    rows = pin(made_shards, config).rows
    widths = {"patch_channels": 4 * 4, "text_width": 12}
    with PackReader(
        ShardStore(made_shards), Steps(rows, config, **widths), config, rank=0, num_ranks=1, **widths
    ) as packs:
        batches = next(packs.after(0)).batches
    for batch in batches:
        tokens = sum(example.grid.num_tokens for example in batch.examples)
        assert batch.num_learnt <= tokens
        assert len(batch.packed.patches_LP) == math.ceil(tokens / 96) * 96


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"engine": {"precision": "bf16"}}, id="bf16"),
        pytest.param({"engine": {"checkpointing": True}}, id="blocks computed again"),
        pytest.param({"model": {"text": "joint", "modulation": "shared"}}, id="joint attention"),
        pytest.param({"model": {"places": True}, "flow": {"prediction": "clean"}}, id="places and clean patches"),
        pytest.param({"flow": {"prediction": "angular"}}, id="along the angle"),
        pytest.param({"packing": {"mode": "bucket"}}, id="buckets"),
        pytest.param({"optimizer": {"kind": "muon", "muon_learning_rate": 0.005}}, id="muon"),
        pytest.param({"ema_decay": 0}, id="no mean"),
    ],
)
def test_every_kind_of_training_learns_and_resumes_bit_by_bit(
    changes: dict[str, Any], made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    config = tiny_config(steps=6, checkpoint={"every_steps": 3}, held_out={"num_samples": 0}, **changes)
    run(config, made_shards, tmp_path / "whole")
    run(config, made_shards, tmp_path / "stopped", stop=4)
    run(config, made_shards, tmp_path / "stopped", resume=True)
    lines = compared(tmp_path / "whole", read_log)
    assert lines == compared(tmp_path / "stopped", read_log)
    assert all(math.isfinite(line[2]) for line in lines)
    later, earlier = weights(tmp_path / "whole", 6), weights(tmp_path / "whole", 3)
    assert any(not torch.equal(later[name], earlier[name]) for name in later)


def test_a_small_model_learns_eight_clips_by_heart(tiny_config: Config, tmp_path: Path) -> None:
    root = str(tmp_path / "eight")
    make_shards(root, [(1, 4, 4), (2, 4, 4)] * 4)
    config = tiny_config(
        steps=160,
        model={"width": 64},
        data={"held_out_ratio": 0, "captions": {"dropout_ratio": 0}},
        packing={"token_budget": 128, "packs_per_step": 1},
        optimizer={"learning_rate": 4e-3, "warmup_steps": 10},
        tasks={"text": 1, "first_frame": 0, "prefix": 0, "suffix": 0, "connect": 0, "loop": 0, "inpaint": 0},
        checkpoint={"every_steps": 1000},
        flow={"shift": {"rule": "none"}},
    )
    losses = run(config, root, tmp_path / "run")
    assert sum(losses[-20:]) / 20 < 0.45 * sum(losses[:5]) / 5


@pytest.fixture
def copied(made_shards: str, tmp_path: Path) -> Path:
    """A dataset that a test may harm."""
    shutil.copytree(made_shards, tmp_path / "dataset")
    return tmp_path / "dataset"


def harmed_clips(out: Path, read_log: Log) -> dict[str, str]:
    return {line["clip_id"]: line["reason"] for line in read_log(out / "bad_samples.jsonl")}


def test_a_shard_that_is_cut_off_loses_its_last_samples_and_says_which(
    copied: Path, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    shard = copied / "shards" / LATENT_SET / "000001.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size * 3 // 4])
    out = tmp_path / "run"
    run(tiny_config(data={"max_bad_ratio": 0.5}), str(copied), out)
    bad = harmed_clips(out, read_log)
    assert 1 <= len(bad) <= 6
    assert all("000001.tar: is cut off" in reason for reason in bad.values())
    lines = read_log(out / "steps.jsonl")
    assert sum(line["num_bad"] for line in lines) >= len(bad)
    assert all(math.isfinite(line["loss"]) for line in lines)


def test_a_shard_that_is_gone_and_one_whose_texts_are_damaged_are_told(
    copied: Path, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    (copied / "shards" / LATENT_SET / "000002.tar").unlink()
    shard = copied / "shards" / TEXT_SET / "000001.tar"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    shard.write_bytes(data)
    out = tmp_path / "run"
    run(tiny_config(data={"max_bad_ratio": 0.9}), str(copied), out)
    reasons = set(harmed_clips(out, read_log).values())
    assert any("000002.tar: there is no such shard" in reason for reason in reasons)
    assert any("000001.tar" in reason and "damaged" in reason for reason in reasons)


def rewrite_with_nan(dataset: Path, count: int) -> list[str]:
    """Make the latents of the first samples of a shard not finite, as a broken encoder would have written them."""
    from safetensors.torch import load, save

    store, manifest = ShardStore(str(dataset)), Manifest(str(dataset))
    name = f"{LATENT_SET}/000000.tar"
    samples = list(store.read(name))
    for k in range(count):
        tensor = load(samples[k].members["latent.safetensors"])["latent"]
        tensor.view(-1)[3] = math.nan
        samples[k] = type(samples[k])(
            samples[k].key, samples[k].about, {"latent.safetensors": save({"latent": tensor})}
        )
    placed = {one.key: one for one in store.write(name, samples)}
    rows = [row for row in manifest.read("samples").to_pylist() if row["shard"] == name]
    manifest.replace("samples", [{**row, "sha256": placed[row["clip_id"]].sha256} for row in rows], [name])
    return [sample.key for sample in samples[:count]]


def test_latents_that_are_not_finite_never_reach_the_model(
    copied: Path, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    wrong = rewrite_with_nan(copied, 2)
    out = tmp_path / "run"
    run(tiny_config(data={"max_bad_ratio": 0.5}), str(copied), out)
    bad = harmed_clips(out, read_log)
    assert set(bad) <= set(wrong)
    assert bad
    assert all("values of 'latent' that are not finite" in reason for reason in bad.values())
    assert all(math.isfinite(line["loss"]) for line in read_log(out / "steps.jsonl"))


def test_too_many_damaged_samples_end_the_run(copied: Path, tiny_config: Config, tmp_path: Path) -> None:
    rewrite_with_nan(copied, 12)
    with pytest.raises(ConfigError, match=r"data.max_bad_ratio: \d+ of \d+ samples read are damaged, more than 0.05"):
        run(tiny_config(data={"max_bad_ratio": 0.05}), str(copied), tmp_path / "run")


def test_gradients_that_never_become_finite_end_the_run(made_shards: str, tiny_config: Config, tmp_path: Path) -> None:
    config = tiny_config(steps=60, optimizer={"learning_rate": 1e30, "warmup_steps": 0})
    with pytest.raises(ConfigError, match=r"gradients of 10 steps in a row are not finite; take a lower"):
        run(config, made_shards, tmp_path / "run")
    worst = [json.loads(line) for line in (tmp_path / "run" / "guard.jsonl").read_text().splitlines()]
    assert all(len(line["worst"]) > 0 for line in worst)


def test_a_gradient_over_the_limit_is_told_with_the_clips_behind_it(
    made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    out = tmp_path / "run"
    run(tiny_config(guard={"known_steps": 2, "sigmas": 0.01}), made_shards, out)
    lines = read_log(out / "guard.jsonl")
    assert lines
    for line in lines:
        assert line["grad_norm"] > line["grad_limit"]
        losses = [clip["loss"] for clip in line["worst"]]
        assert losses == sorted(losses, reverse=True)
        assert len(line["worst"][0]["clip_id"]) == 32


def test_a_run_may_end_with_a_fall_of_the_rate_and_go_on_from_before_it(
    straight: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    falling = tiny_config(steps=8, optimizer={"decay_steps": 3, "final_ratio": 0.1})
    run(tiny_config(steps=5), made_shards, tmp_path / "run")
    run(falling, made_shards, tmp_path / "run", resume=True)
    rates = [line["learning_rate"] for line in read_log(tmp_path / "run" / "steps.jsonl")]
    assert rates[2:] == [1, 1, 1, pytest.approx(0.775), pytest.approx(0.55), pytest.approx(0.325)]
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "00000008")
    run(tiny_config(), made_shards, tmp_path / "run", resume=True)
    assert compared(tmp_path / "run", read_log) == compared(straight, read_log)


def test_a_run_is_not_overwritten_and_not_mixed_with_another(
    straight: Path, made_shards: str, tiny_config: Config
) -> None:
    with pytest.raises(ConfigError, match=r"holds a run; --resume goes on with it"):
        run(tiny_config(), made_shards, straight)
    with pytest.raises(ConfigError, match=r"another config: optimizer.learning_rate was 0.001 and is 0.002"):
        run(tiny_config(optimizer={"learning_rate": 2e-3}), made_shards, straight, resume=True)


def test_samples_that_came_later_do_not_change_a_run(
    straight: Path, copied: Path, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    out = tmp_path / "run"
    run(tiny_config(), str(copied), out, stop=6)
    manifest = Manifest(str(copied))
    rows = manifest.read("samples").to_pylist()[:2]
    manifest.append("samples", [{**row, "clip_id": "f" * 32, "sample_key": "f" * 32} for row in rows])
    run(tiny_config(), str(copied), out, resume=True)
    assert compared(out, read_log) == compared(straight, read_log)
