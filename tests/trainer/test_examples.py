from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from pipeline.shards import ShardError, ShardStore
from schemas import MediaError
from trainer.batch import collate, idle_batch
from trainer.config import TrainConfig
from trainer.examples import Choice, draw_choice, grid_of, make_example, read_stored
from trainer.flow import noised
from trainer.model.dit import DiT, DiTParams
from trainer.prepare import pin
from trainer.run_folder import Pinned
from trainer.tasks import Task

Config = Callable[..., TrainConfig]


@pytest.fixture(scope="module")
def pinned(made_shards: str, tiny_config: Config) -> Pinned:
    return pin(made_shards, tiny_config())


@pytest.fixture(scope="module")
def store(made_shards: str) -> ShardStore:
    return ShardStore(made_shards)


def long_clip(pinned: Pinned) -> int:
    return int(pinned.rows.column("latent_frames").argmax())


def test_a_sample_is_read_with_its_text_and_its_times(pinned: Pinned, store: ShardStore) -> None:
    row = pinned.rows.row(long_clip(pinned))
    stored = read_stored(store, row, "short", 12)
    assert tuple(stored.latent_CFHW.shape) == row.latent
    assert stored.latent_CFHW.dtype == torch.float32
    assert stored.times_s == pytest.approx([4 * k / 24 for k in range(5)])
    assert stored.text_MT is not None
    assert stored.text_MT.shape[1] == 12
    assert read_stored(store, row, None, 12).text_MT is None


def test_what_is_not_there_or_of_another_width_is_told(pinned: Pinned, store: ShardStore) -> None:
    row = pinned.rows.row(0)
    with pytest.raises(MediaError, match=r"no tensor 'original' in text\.safetensors"):
        read_stored(store, row, "original", 12)
    with pytest.raises(MediaError, match="a text of 12 numbers a token, and others have 13"):
        read_stored(store, row, "dense", 13)
    with pytest.raises(MediaError, match=r"a latent of .* and the manifest says \(4, 9, 9, 9\)"):
        read_stored(store, replace(row, latent=(4, 9, 9, 9)), None, 12)
    with pytest.raises(ShardError, match="there is no such shard"):
        read_stored(store, replace(row, latent_shard="latent-0/000000.tar"), None, 12)


def test_given_tokens_are_clean_and_at_time_zero(pinned: Pinned, store: ShardStore, tiny_config: Config) -> None:
    model = tiny_config().model
    stored = read_stored(store, pinned.rows.row(long_clip(pinned)), None, 12)
    example = make_example(stored, Choice(0.7, Task.first_frame, 5), model)
    each = example.grid.height * example.grid.width
    assert example.is_given_L.tolist() == [True] * each + [False] * 4 * each
    batch = collate([example], 12)
    assert torch.equal(batch.packed.patches_LP[:each], example.clean_LP[:each])
    mixed = noised(example.clean_LP, example.noise_LP, torch.tensor(0.7))
    assert torch.allclose(batch.packed.patches_LP[each:], mixed[each:])
    assert batch.time_L1[:, 0].tolist() == pytest.approx([0.0] * each + [0.7] * 4 * each)
    assert batch.num_learnt == 4 * each


def test_what_is_drawn_depends_on_clip_seed_and_epoch_alone(
    pinned: Pinned, store: ShardStore, tiny_config: Config
) -> None:
    config = tiny_config()
    row = pinned.rows.row(3)
    grid = grid_of(row, config.model.patch)

    def noise(seed: int, epoch: int) -> torch.Tensor:
        choice = draw_choice(row, grid, config.flow, config.tasks, seed, epoch)
        return make_example(read_stored(store, row, None, 12), choice, config.model).noise_LP

    assert torch.equal(noise(0, 1), noise(0, 1))
    assert not torch.equal(noise(0, 1), noise(0, 2))
    assert not torch.equal(noise(0, 1), noise(1, 1))


def test_times_differ_between_samples_of_a_pack(pinned: Pinned, store: ShardStore, tiny_config: Config) -> None:
    config = tiny_config()
    rows = [pinned.rows.row(k) for k in range(6)]
    choices = [draw_choice(row, grid_of(row, config.model.patch), config.flow, config.tasks, 0, 0) for row in rows]
    assert len({choice.time for choice in choices}) == 6
    examples = [
        make_example(read_stored(store, row, "dense", 12), choice, config.model)
        for row, choice in zip(rows, choices, strict=True)
    ]
    batch = collate(examples, 12)
    assert [example.grid.num_tokens for example in batch.examples] == list(batch.packed.video.lengths)
    assert len(batch.packed.times_K) == 7
    assert batch.packed.text is not None
    assert [len(example.text_MT) for example in batch.examples if example.text_MT is not None] == list(
        batch.packed.text.lengths
    )


def test_an_idle_batch_runs_and_teaches_nothing() -> None:
    batch = idle_batch(16, 12)
    assert batch.num_learnt == 0
    assert batch.examples == ()
    model = DiT(DiTParams(depth=1, width=16, heads=2, patch_channels=16, text_width=12))
    (model(batch.packed) * batch.weight_L[:, None]).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(parameter.grad.abs().sum() == 0 for parameter in model.parameters() if parameter.grad is not None)
