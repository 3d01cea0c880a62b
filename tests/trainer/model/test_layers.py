from __future__ import annotations

import pytest
import torch

from trainer.model.layers import TextEmbedder, sinusoids


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (500, [-0.883849, 0.964965, 0.283662, 0.877583, -0.467772, -0.262379, -0.958924, 0.479426]),
        (1, [0.540302, 0.995004, 0.999950, 1.000000, 0.841471, 0.099833, 0.010000, 0.001000]),
    ],
)
def test_sinusoids_are_those_of_dit(time: float, expected: list[float]) -> None:
    assert sinusoids(torch.tensor([time]), 8)[0].tolist() == pytest.approx(expected, abs=2e-6)


def test_no_text_is_a_learnt_token_whatever_stands_in_its_place() -> None:
    embedder = TextEmbedder(3, 8)
    torch.nn.init.normal_(embedder.nothing)
    is_nothing = torch.tensor([False, True])
    one, other = (embedder(torch.tensor([[1.0, 2, 3], [x, x, x]]), is_nothing) for x in (0.0, 9.0))
    assert torch.equal(one, other)
    one.sum().backward()
    assert embedder.nothing.grad is not None
    assert embedder.nothing.grad.abs().sum() > 0
