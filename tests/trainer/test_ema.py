from __future__ import annotations

import pytest
import torch

from trainer.ema import Ema
from trainer.engine import Fragment


def test_the_mean_follows_faster_at_first_and_then_by_its_decay() -> None:
    flat = torch.zeros(4)
    ema = Ema([flat], 0.9)
    weight = Fragment("w", 0, flat, 1, 2)
    flat.fill_(1.0)
    ema.update(1)
    assert ema.of(weight).tolist() == pytest.approx([1 - 2 / 11] * 2)
    for step in range(1000, 1010):
        ema.update(step)
    assert ema.of(weight).tolist() == pytest.approx([1 - 2 / 11 * 0.9**10] * 2)


def test_a_part_of_the_mean_can_be_put_back() -> None:
    flat = torch.zeros(4)
    ema = Ema([flat], 0.9)
    ema.of(Fragment("w", 0, flat, 1, 2)).copy_(torch.tensor([5.0, 6.0]))
    assert ema.of(Fragment("all", 0, flat, 0, 4)).tolist() == [0, 5, 6, 0]
