from __future__ import annotations

import numpy as np
import pytest

from schemas import ConfigError
from trainer.sampling import Grid, Region, Size
from trainer.sampling.join import joined
from trainer.sampling.window import Window, region_box
from trainer.tasks import Given, Task

GRID = Grid((4, 8, 8), (1, 2, 2), 16)


def frames(num: int, grey: int = 0) -> np.ndarray:
    return np.full((num, 2, 2, 3), grey, np.uint8)


def window(**values: object) -> Window:
    return Window(**{"prompt": "p", "size": Size(64, 48), "num_frames": 17, "seed": 0, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "task", "given"),
    [
        pytest.param({}, Task.text, Given(), id="text"),
        pytest.param({"first": frames(1)}, Task.first_frame, Given(first=1), id="picture"),
        pytest.param({"first": frames(9)}, Task.prefix, Given(first=3), id="forward"),
        pytest.param({"last": frames(9)}, Task.suffix, Given(last=2), id="backward"),
        pytest.param({"first": frames(5), "last": frames(9)}, Task.connect, Given(first=2, last=2), id="connect"),
    ],
)
def test_what_is_given_is_a_case_of_the_grammar_of_training(
    values: dict[str, object], task: Task, given: Given
) -> None:
    made = window(**values)
    layout = made.layout(GRID)
    assert made.task is task
    assert made.given(layout, GRID, 8.0) == given
    assert made.given(layout, GRID, 8.0).mask(layout.tokens).sum() == (given.first + given.last) * 3 * 4


@pytest.mark.parametrize(
    ("region", "box"),
    [
        pytest.param(Region(0, 0, 64, 48), (0, 5, 0, 3, 0, 4), id="all"),
        pytest.param(Region(16, 16, 16, 16), (0, 5, 1, 2, 1, 2), id="on the grid"),
        pytest.param(Region(15, 17, 2, 1), (0, 5, 1, 2, 0, 2), id="any token of which a part lies in it"),
        pytest.param(Region(0, 0, 16, 16, 0.0, 0.125), (0, 1, 0, 1, 0, 1), id="the first frame"),
        pytest.param(Region(0, 0, 16, 16, 1.0, 1.5), (2, 4, 0, 1, 0, 1), id="a part of the time"),
    ],
)
def test_a_region_is_the_tokens_that_it_touches(region: Region, box: tuple[int, ...]) -> None:
    assert tuple(region_box(region, window().layout(GRID), GRID, 8.0)) == box


def test_a_region_of_a_size_off_the_grid_is_moved_with_the_cut() -> None:
    layout = window(size=Size(60, 40)).layout(GRID)
    assert (layout.top, layout.left) == (4, 2)
    assert tuple(region_box(Region(0, 0, 10, 10), layout, GRID, 8.0))[2:] == (0, 1, 0, 1)
    assert tuple(region_box(Region(0, 0, 15, 13), layout, GRID, 8.0))[2:] == (0, 2, 0, 2)


def test_a_region_behind_the_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="begins at 5 s, and the clip has 17 frames of 8"):
        region_box(Region(0, 0, 8, 8, 5.0, 6.0), window().layout(GRID), GRID, 8.0)


def test_the_made_part_follows_a_frame_that_is_wholly_of_its_own_piece() -> None:
    whole = joined(frames(6, 100), frames(8, 200), 4, ends_after=True)
    assert whole[:, 0, 0, 0].tolist() == [100, 100, 125, 150, 175, 200, 200, 200, 200, 200]
    whole = joined(frames(6, 100), frames(8, 200), 4, ends_after=False)
    assert whole[:, 0, 0, 0].tolist() == [100, 100, 100, 125, 150, 175, 200, 200, 200, 200]
    assert len(joined(frames(2), frames(3), 0, ends_after=True)) == 5


@pytest.mark.parametrize("overlap", [1, 3, 5])
def test_frames_that_are_the_same_on_both_sides_stay_so(overlap: int) -> None:
    film = np.random.default_rng(0).integers(0, 256, (10, 2, 2, 3), np.uint8)
    for ends_after in (True, False):
        assert np.array_equal(joined(film[:6], film[6 - overlap :], overlap, ends_after=ends_after), film)
