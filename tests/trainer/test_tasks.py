from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainer.model.grid import TokenGrid
from trainer.tasks import FEWEST_FRAMES, Box, Given, Task, TasksConfig, draw_given, draw_task

GRIDS = st.builds(TokenGrid, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


@given(GRIDS, st.sampled_from(list(Task)), st.integers(0, 1000))
def test_something_is_always_to_be_made_and_something_given_but_for_text(
    grid: TokenGrid, task: Task, seed: int
) -> None:
    if grid.frames < FEWEST_FRAMES[task]:
        return
    mask = draw_given(task, grid, np.random.default_rng(seed)).mask(grid)
    assert mask.shape == grid
    assert not mask.all()
    if task not in (Task.text, Task.inpaint):
        assert mask.any()


@pytest.mark.parametrize(
    ("task", "first", "last"),
    [
        (Task.text, {0}, {0}),
        (Task.first_frame, {1}, {0}),
        (Task.prefix, {1, 2, 3}, {0}),
        (Task.suffix, {0}, {1, 2, 3}),
        (Task.connect, {1, 2}, {1, 2}),
        (Task.loop, {1}, {1}),
    ],
)
def test_each_task_gives_its_ends(task: Task, first: set[int], last: set[int]) -> None:
    drawn = [draw_given(task, TokenGrid(4, 2, 2), np.random.default_rng(seed)) for seed in range(60)]
    assert {one.first for one in drawn} == first
    assert {one.last for one in drawn} == last
    for one in drawn:
        frames = one.mask(TokenGrid(4, 2, 2)).all((1, 2)).tolist()
        assert frames == [k < one.first or k >= 4 - one.last for k in range(4)]


def test_inpainting_gives_all_outside_a_box() -> None:
    mask = Given(made=Box(0, 2, 1, 3, 0, 1)).mask(TokenGrid(2, 4, 2))
    assert (~mask).sum() == 4
    assert not mask[:, 1:3, 0].any()


def test_a_mask_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="gives all of a clip"):
        Given(first=2, last=2).mask(TokenGrid(4, 1, 1))


def test_tasks_come_by_their_shares_and_only_to_clips_long_enough() -> None:
    config = TasksConfig(text=0.5, first_frame=0.25, prefix=0, suffix=0, connect=0.25, loop=0, inpaint=0)
    drawn = [draw_task(config, 8, k / 1000) for k in range(1000)]
    assert {task: drawn.count(task) for task in set(drawn)} == {
        Task.text: 500,
        Task.first_frame: 250,
        Task.connect: 250,
    }
    assert {draw_task(config, 1, k / 100) for k in range(100)} == {Task.text}
    assert {draw_task(config, 2, k / 100) for k in range(100)} == {Task.text, Task.first_frame}


def test_pictures_must_have_a_task() -> None:
    with pytest.raises(ValidationError, match="a picture of one frame has no other task"):
        TasksConfig(text=0, inpaint=0)
