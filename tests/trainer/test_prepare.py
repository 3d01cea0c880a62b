from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas import ConfigError
from trainer.config import TrainConfig
from trainer.prepare import check_fit, pin, split
from trainer.run_folder import Pinned

Config = Callable[..., TrainConfig]


@pytest.fixture(scope="module")
def pinned(made_shards: str, tiny_config: Config) -> Pinned:
    return pin(made_shards, tiny_config())


def test_what_a_run_trains_on_is_pinned(pinned: Pinned) -> None:
    assert (pinned.latent_channels, pinned.text_width, len(pinned.rows)) == (4, 12, 40)
    assert pinned.digests == {
        "autoencoder_digest": "a" * 32,
        "preprocess_digest": "b" * 32,
        "text_encoder_digest": "c" * 32,
    }


def test_a_video_is_held_out_whatever_else_there_is(pinned: Pinned, tiny_config: Config) -> None:
    config = tiny_config(data={"held_out_ratio": 0.3})
    learnt, held = split(pinned.rows, config)
    assert sorted(learnt.clip_ids + held.clip_ids) == pinned.rows.clip_ids
    assert 4 <= len(held) <= 20
    again = split(held, config)
    assert (len(again[0]), again[1].clip_ids) == (0, held.clip_ids)


@pytest.mark.parametrize(
    ("changes", "ranks", "message"),
    [
        pytest.param(
            {"packing": {"token_budget": 30}},
            1,
            r"packing.token_budget: \d+ of 40 samples are larger than 30 tokens and would never be seen; the largest",
            id="a sample larger than the budget",
        ),
        pytest.param(
            {"packing": {"packs_per_step": 41}},
            1,
            r"packs_per_step: 41 packs of a step are more than the 40 samples",
            id="fewer samples than packs",
        ),
        pytest.param(
            {},
            3,
            r"packs_per_step: 2 packs leave 1 of 3 ranks without work",
            id="fewer packs than ranks",
        ),
        pytest.param(
            {
                "packing": {
                    "mode": "bucket",
                    "buckets": [[1, 64, 64], [9, 32, 64], [17, 48, 32], [5, 64, 96], [9, 9, 9]],
                }
            },
            1,
            r"packing.buckets: no sample is 9 frames of 9x9; 1 of 5 are empty",
            id="an empty bucket",
        ),
        pytest.param(
            {"packing": {"mode": "bucket", "buckets": [[1, 64, 64]]}},
            1,
            r"packing.buckets: there are samples of 5 frames of 64x96 and it is not among them; 3 sizes",
            id="samples in no bucket",
        ),
        pytest.param(
            {"packing": {"mode": "bucket", "batch_size": 4}},
            1,
            r"packing.batch_size: 4 samples of 5 frames of 64x96 can have \d+ tokens, more than packing.token_budget",
            id="a batch that cannot fit",
        ),
    ],
)
def test_a_run_that_would_lose_something_silently_is_refused(
    changes: dict[str, Any], ranks: int, message: str, pinned: Pinned, tiny_config: Config
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_fit(pinned.rows, tiny_config(**changes), ranks, reads_text=True)


def test_one_that_loses_nothing_is_not(pinned: Pinned, tiny_config: Config) -> None:
    check_fit(pinned.rows, tiny_config(), 2, reads_text=True)
    buckets = {"mode": "bucket", "buckets": [[1, 64, 64], [9, 32, 64], [17, 48, 32], [5, 64, 96]], "batch_size": 2}
    check_fit(pinned.rows, tiny_config(packing=buckets), 1, reads_text=True)


def test_a_dataset_without_shards_is_told(tmp_path: object, tiny_config: Config) -> None:
    with pytest.raises(ConfigError, match=r"has no shards; `rushes run` makes them"):
        pin(str(tmp_path), tiny_config())
