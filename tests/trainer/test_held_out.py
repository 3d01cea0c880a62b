from __future__ import annotations

from collections.abc import Callable

import pytest

from trainer.config import TrainConfig
from trainer.held_out import size_class, summary, trials
from trainer.prepare import pin


@pytest.mark.parametrize(("tokens", "name"), [(1, "<=1"), (16, "<=16"), (17, "<=32"), (75_600, "<=131072")])
def test_sizes_are_counted_by_powers_of_two(tokens: int, name: str) -> None:
    assert size_class(tokens) == name


def test_each_sample_is_tried_at_every_time(made_shards: str, tiny_config: Callable[..., TrainConfig]) -> None:
    config = tiny_config(held_out={"num_samples": 3, "num_times": 4})
    found = trials(pin(made_shards, config).rows, config)
    assert [trial.time for trial in found] == [0.125, 0.375, 0.625, 0.875] * 3
    assert len({trial.index for trial in found}) == 3


def test_means_are_over_trials() -> None:
    cells = {"0.5 <=16 text": [6.0, 2.0], "0.5 <=32 text": [1.0, 1.0], "0.7 <=16 prefix": [5.0, 1.0]}
    found = summary(cells)
    assert found["loss"] == pytest.approx(3.0)
    assert found["num_trials"] == 4
    assert found["by_time"] == pytest.approx({"0.5": 7 / 3, "0.7": 5.0})
    assert found["by_size"] == pytest.approx({"<=16": 11 / 3, "<=32": 1.0})
    assert found["by_task"] == pytest.approx({"text": 7 / 3, "prefix": 5.0})
    assert summary({})["loss"] is None
