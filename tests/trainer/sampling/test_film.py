"""Requests walked through with frames that number themselves, so that one sees which frame comes from where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from schemas import ConfigError
from trainer.sampling import Grid, Mode, Request, SamplingConfig, Size
from trainer.sampling.film import film
from trainer.sampling.request import Frames, Shot
from trainer.sampling.window import Window

SIZE = Size(2, 2)
MADE = 200
"""Grey of a made frame."""
GRIDS = [
    pytest.param(Grid((4, 8, 8), (1, 2, 2), 4), id="causal"),
    pytest.param(Grid((1, 8, 8), (1, 2, 2), 4), id="by frame"),
]


def config(**values: Any) -> SamplingConfig:
    return SamplingConfig(model="m", frame_rate=8, window_s=5, context_s=1, loop_s=1, **values)


def clip(num: int, start: int = 0) -> Frames:
    """Frames of grey `start`, `start + 1`, …"""
    greys = np.arange(start, start + num, dtype=np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (num, 2, 2, 3)).copy()


def answer(window: Window) -> Frames:
    """What is given, and grey frames where something is made."""
    if window.whole is not None:
        return np.full_like(window.whole, MADE)
    frames = np.full((window.num_frames, 2, 2, 3), MADE, np.uint8)
    if window.first is not None:
        frames[: len(window.first)] = window.first
    if window.last is not None:
        frames[len(frames) - len(window.last) + 1 :] = window.last[1:]
    return frames


def walk(request: Request, grid: Grid, **values: Any) -> tuple[list[int], list[Window], list[str]]:
    """Greys of the film, its windows, what is said."""
    made, windows, said = walk_in_parts(request, grid, **values)
    return np.concatenate(made)[:, 0, 0, 0].tolist(), windows, said


def walk_in_parts(request: Request, grid: Grid, **values: Any) -> tuple[list[Frames], list[Window], list[str]]:
    """The film as it left, its windows, what is said."""
    said: list[str] = []
    windows: list[Window] = []
    parts: list[Frames] = []
    steps = film(request, grid, config(**values), said, parts.append)

    def turn() -> Iterator[Frames]:
        windows.append(next(steps))
        while True:
            try:
                windows.append(steps.send(answer(windows[-1])))
            except StopIteration as end:
                yield end.value
                return

    parts += turn()
    return parts, windows, said


def asked(mode: Mode, num: int, *clips: Frames) -> Request:
    return Request(prompt="p", size=SIZE, num_frames=num, mode=mode, clips=clips)


def on_grid(window: Window, grid: Grid) -> bool:
    return window.num_frames == grid.frames_up(window.num_frames)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("num", [1, 2, 8, 41, 42, 100, 163])
def test_a_text_gives_as_many_frames_as_asked_for_in_windows_of_the_trained_length(grid: Grid, num: int) -> None:
    greys, windows, _ = walk(asked(Mode.text, num), grid)
    assert greys == [MADE] * num
    most = grid.frames_up(40)
    assert all(on_grid(window, grid) and window.num_frames <= most for window in windows)
    assert [window.piece for window in windows] == list(range(len(windows)))
    assert (len(windows) == 1) == (num <= most)
    for later in windows[1:]:
        assert later.first is not None
        assert grid.frames_down(len(later.first)) == len(later.first)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_picture_is_the_first_frame(grid: Grid) -> None:
    greys, windows, _ = walk(asked(Mode.image, 17, clip(1, 7)), grid)
    assert greys == [7] + [MADE] * 16
    assert len(windows) == 1
    assert windows[0].task == "first_frame"


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("num", [5, 8, 90])
def test_a_clip_goes_on_and_keeps_all_of_its_frames(grid: Grid, num: int) -> None:
    greys, windows, _ = walk(asked(Mode.forward, num, clip(30)), grid)
    assert greys == [*range(30), *[MADE] * num]
    assert {window.task.value for window in windows} == {"prefix"}
    assert windows[0].first is not None
    assert windows[0].first[-1, 0, 0, 0] == 29


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("num", [5, 8, 90])
def test_what_came_before_ends_in_the_clip(grid: Grid, num: int) -> None:
    greys, windows, _ = walk(asked(Mode.backward, num, clip(30)), grid)
    # An autoencoder's first frame stands alone, so the clip's first one is made anew.
    assert greys == [*[MADE] * (num + 1), *range(1, 30)]
    assert {window.task.value for window in windows} == {"suffix"}
    assert all(on_grid(window, grid) for window in windows)


@pytest.mark.parametrize("grid", GRIDS)
def test_both_ways_at_once(grid: Grid) -> None:
    greys, _, _ = walk(asked(Mode.both, 10, clip(30)), grid)
    assert greys == [*[MADE] * 11, *range(1, 30), *[MADE] * 10]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("num", [7, 12, 70])
def test_a_passage_leads_from_one_clip_to_the_other(grid: Grid, num: int) -> None:
    greys, windows, said = walk(asked(Mode.connect, num, clip(30), clip(20, 100)), grid)
    made = greys.count(MADE)
    assert greys == [*range(30), *[MADE] * made, *range(101, 120)]
    assert num <= made - 1 < num + grid.stride[0]
    assert windows[-1].task == "connect"
    assert bool(said) == (made - 1 != num)


@pytest.mark.parametrize("num", [9, 16, 60])
def test_a_closed_clip_is_followed_by_its_own_beginning(num: int) -> None:
    greys, windows, _ = walk(asked(Mode.loop, num, clip(30)), Grid((4, 8, 8), (1, 2, 2), 4))
    made = greys.count(MADE)
    assert greys == [*range(1, 30), *[MADE] * made]
    assert made - 1 >= num
    last = windows[-1]
    assert last.first is not None or len(windows) > 1
    assert last.last is not None
    assert last.last[0, 0, 0, 0] == 0


def test_a_loop_from_a_prompt_has_the_length_asked_for_and_says_how_it_is_closed() -> None:
    greys, windows, said = walk(asked(Mode.loop, 40), Grid((4, 8, 8), (1, 2, 2), 4))
    assert len(greys) == 40
    assert [window.task.value for window in windows] == ["text", "connect"]
    assert "latent time cannot wrap" in said[0]


def test_latent_time_wraps_where_each_frame_stands_alone() -> None:
    greys, windows, said = walk(asked(Mode.loop, 40), Grid((1, 8, 8), (1, 2, 2), 4))
    assert (len(greys), len(windows)) == (40, 1)
    assert windows[0].wraps
    assert "wraps" in said[0]


def test_an_edit_takes_what_is_on_the_grid_and_says_so() -> None:
    greys, windows, said = walk(asked(Mode.edit, 1, clip(30)), Grid((4, 8, 8), (1, 2, 2), 4))
    assert len(greys) == windows[0].num_frames == 29
    assert windows[0].strength == 0.6
    assert said == ["of the clip's 30 frames the first 29 are on the model's grid"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param(asked(Mode.backward, 8, clip(4)), "too short to lead up to: 5 are needed", id="backward"),
        pytest.param(asked(Mode.loop, 8, clip(9)), "too short to be closed: 10 are needed", id="loop"),
        pytest.param(asked(Mode.loop, 17), "a loop of 17 frames is too short", id="loop of a prompt"),
        pytest.param(asked(Mode.edit, 1, clip(60)), "longer than window_s, 41 frames", id="edit"),
    ],
)
def test_clips_that_are_too_short_or_too_long_are_refused(request_: Request, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        walk(request_, Grid((4, 8, 8), (1, 2, 2), 4))


def test_a_window_must_hold_two_contexts() -> None:
    with pytest.raises(ConfigError, match="leave nothing to be made between two contexts of 33"):
        walk(asked(Mode.text, 8), Grid((32, 8, 8), (1, 2, 2), 4))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("mode", "clips"),
    [
        pytest.param(Mode.text, (), id="text"),
        pytest.param(Mode.image, (clip(1),), id="image"),
        pytest.param(Mode.forward, (clip(30),), id="forward"),
        pytest.param(Mode.connect, (clip(30), clip(30, 60)), id="connect"),
    ],
)
def test_frames_that_nothing_needs_any_more_leave_the_film(grid: Grid, mode: Mode, clips: tuple[Frames, ...]) -> None:
    parts, windows, _ = walk_in_parts(asked(mode, 400, *clips), grid)
    assert len(parts) >= len(windows) > 5
    # What stays behind is a window and the clip that it leads up to, however long the film.
    assert max(map(len, parts)) <= grid.frames_up(40) + 30


@pytest.mark.parametrize("grid", GRIDS)
def test_shots_follow_each_other_each_with_its_prompt_and_length(grid: Grid) -> None:
    shots = (Shot("a", 9), Shot("b", 60), Shot("c", 7, is_cut=True))
    request = Request(prompt="p", size=SIZE, num_frames=76, mode=Mode.shots, shots=shots)
    greys, windows, _ = walk(request, grid)
    assert greys == [MADE] * 76
    assert [window.prompt for window in windows] == ["a", "b", "b", "c"]
    # The second goes on from what is there, a cut from nothing.
    assert [window.first is not None for window in windows] == [False, True, True, False]
    assert len({window.piece for window in windows}) == 4


def test_shots_go_on_from_a_clip() -> None:
    request = Request(prompt="p", size=SIZE, num_frames=8, mode=Mode.shots, shots=(Shot("a", 8),), clips=(clip(20),))
    greys, _, _ = walk(request, GRIDS[1].values[0])
    assert greys == [*range(20), *[MADE] * 8]
