"""What of a clip is given and what is to be made: one grammar of masks, for training and for sampling.

Some frames at the start are given, some at the end, and where a box is named, all that lies outside it. Every task is
a case of that:

```text
text           nothing is given                        make a video, or a picture, from its text
first_frame    the first frame                         bring a picture to life
prefix         frames at the start                     extend forwards
suffix         frames at the end                       extend backwards
connect        frames at the start and at the end      go from one clip to another
loop           as many at the start as at the end      sampled with both taken from one clip, it never ends
inpaint        all outside of a box                    change a part
```
Frames are those of the latent. Given tokens are clean, at time 0, and no loss is taken on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from schemas import Config
from trainer.model.grid import TokenGrid

Mask = npt.NDArray[np.bool_]


class Task(StrEnum):
    """The name of a task."""

    text = "text"
    first_frame = "first_frame"
    prefix = "prefix"
    suffix = "suffix"
    connect = "connect"
    loop = "loop"
    inpaint = "inpaint"


class TasksConfig(Config):
    """How often each task is trained, as shares of their sum. A clip too short for one gets the others."""

    text: float = Field(0.7, ge=0, allow_inf_nan=False)
    """Make all of it from the text."""
    first_frame: float = Field(0.1, ge=0, allow_inf_nan=False)
    """Make what follows a picture."""
    prefix: float = Field(0.06, ge=0, allow_inf_nan=False)
    """Extend forwards."""
    suffix: float = Field(0.04, ge=0, allow_inf_nan=False)
    """Extend backwards."""
    connect: float = Field(0.04, ge=0, allow_inf_nan=False)
    """Make what lies between two clips."""
    loop: float = Field(0.02, ge=0, allow_inf_nan=False)
    """Make what leads back to the start."""
    inpaint: float = Field(0.04, ge=0, allow_inf_nan=False)
    """Make what lies in a box."""

    @model_validator(mode="after")
    def _pictures_have_a_task(self) -> Self:
        if self.text + self.inpaint <= 0:
            raise ValueError("text and inpaint are both 0, and a picture of one frame has no other task")
        return self


class Box(NamedTuple):
    """A part of a grid of tokens; starts are in, ends are out."""

    start_frame: int
    end_frame: int
    start_row: int
    end_row: int
    start_column: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Given:
    """What of a clip is given."""

    first: int = 0
    """Frames of tokens at the start."""
    last: int = 0
    """Frames of tokens at the end."""
    made: Box | None = None
    """Where something is to be made; everywhere without it."""

    def mask(self, grid: TokenGrid) -> Mask:
        """True for tokens that are given, bool (frames, height, width).

        Raises:
            ValueError: Nothing is left to be made.
        """
        mask = np.zeros(grid, np.bool_)
        if self.made is not None:
            mask[:] = True
            box = self.made
            mask[box.start_frame : box.end_frame, box.start_row : box.end_row, box.start_column : box.end_column] = (
                False
            )
        mask[: self.first] = True
        mask[grid.frames - self.last :] = True
        if mask.all():
            raise ValueError(f"{self} gives all of a clip of {tuple(grid)}")
        return mask


FEWEST_FRAMES = {
    Task.text: 1,
    Task.first_frame: 2,
    Task.prefix: 2,
    Task.suffix: 2,
    Task.connect: 3,
    Task.loop: 3,
    Task.inpaint: 1,
}
"""Frames of tokens that a clip must have for a task."""


def draw_task(config: TasksConfig, frames: int, place: float) -> Task:
    """The task of a clip.

    Args:
        config: Shares.
        frames: Frames of tokens that it has.
        place: An even number in [0, 1).
    """
    shares = {task: getattr(config, task) for task in Task if frames >= FEWEST_FRAMES[task]}
    left = place * sum(shares.values())
    for task, part in shares.items():
        left -= part
        if left < 0:
            return task
    return max(shares, key=lambda task: float(shares[task]))


def draw_given(task: Task, grid: TokenGrid, rng: np.random.Generator) -> Given:
    """What is given of a clip for a task, where the task leaves a choice.

    Args:
        task: One for which the clip has enough frames.
        grid: The clip's tokens.
        rng: Where the choice comes from.
    """
    return _DRAWS[task](grid, rng)


def _connect(grid: TokenGrid, rng: np.random.Generator) -> Given:
    given = int(rng.integers(2, grid.frames))
    first = int(rng.integers(1, given))
    return Given(first=first, last=given - first)


def _loop(grid: TokenGrid, rng: np.random.Generator) -> Given:
    each = int(rng.integers(1, (grid.frames - 1) // 2 + 1))
    return Given(first=each, last=each)


def _inpaint(grid: TokenGrid, rng: np.random.Generator) -> Given:
    """A box of at least a quarter of each side, half of the time through all frames."""
    frames = (0, grid.frames) if rng.random() < 0.5 else _span(grid.frames, rng)
    return Given(made=Box(*frames, *_span(grid.height, rng), *_span(grid.width, rng)))


def _span(size: int, rng: np.random.Generator) -> tuple[int, int]:
    length = int(rng.integers(-(-size // 4), size + 1))
    start = int(rng.integers(0, size - length + 1))
    return start, start + length


_DRAWS: Mapping[Task, Callable[[TokenGrid, np.random.Generator], Given]] = {
    Task.text: lambda grid, rng: Given(),
    Task.first_frame: lambda grid, rng: Given(first=1),
    Task.prefix: lambda grid, rng: Given(first=int(rng.integers(1, grid.frames))),
    Task.suffix: lambda grid, rng: Given(last=int(rng.integers(1, grid.frames))),
    Task.connect: _connect,
    Task.loop: _loop,
    Task.inpaint: _inpaint,
}
