from __future__ import annotations

import torch

from trainer.model.grid import TokenGrid
from trainer.model.places import PLACE_CHANNELS, place_waves, places


def test_places_are_shares_of_the_picture_and_the_same_in_each_frame() -> None:
    found = places(TokenGrid(2, 2, 4)).reshape(2, 2, 4, 2)
    assert torch.equal(found[0], found[1])
    assert found[0, :, 0, 0].tolist() == [-0.5, 0.5]
    assert found[0, 0, :, 1].tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_the_middle_of_a_picture_is_the_middle_at_every_size() -> None:
    small, large = (places(TokenGrid(1, side, side)) for side in (3, 9))
    assert torch.equal(small[4], large[40])
    # The outermost token of the finer grid lies nearer to the edge.
    assert large[0].max() < small[0].max() < 0


def test_waves_tell_all_places_of_a_fine_grid_apart() -> None:
    told = place_waves(places(TokenGrid(1, 32, 32)))
    assert told.shape == (1024, PLACE_CHANNELS)
    distances = torch.cdist(told, told) + torch.eye(1024) * 9
    assert distances.min() > 0.05
    assert told.abs().max() <= 1
