"""One stretch of video that the model makes at once, and what of it is given."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import ConfigError
from trainer.model.grid import TokenGrid
from trainer.sampling.layout import Grid, Layout, lay_out
from trainer.sampling.request import Frames, Region, Size
from trainer.tasks import Box, Given, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One stretch of video; frames are on the model's grid."""

    prompt: str
    size: Size
    num_frames: int
    """Given ones included."""
    seed: int
    """Of its noise."""
    piece: int = 0
    """Which window of its video it is: each has other noise."""
    variation: float = 0.0
    variation_seed: int = 0
    first: Frames | None = None
    """What it begins with; frames on the grid."""
    last: Frames | None = None
    """What it ends with, and one frame before that, which is not given: an autoencoder's first frame stands alone, so
    that it can only be encoded with the others. Frames on the grid, at least two."""
    whole: Frames | None = None
    """What it is made from, all of it."""
    strength: float = 1.0
    """How far back into the noise `whole` is taken."""
    region: Region | None = None
    """Where something is made of `whole`; everywhere without it."""
    wraps: bool = False
    """Whether its end goes on with its beginning."""

    def layout(self, grid: Grid) -> Layout:
        """Where its patches lie."""
        return lay_out(self.num_frames, self.size.height, self.size.width, grid)

    def given(self, layout: Layout, grid: Grid, frame_rate: float) -> Given:
        """What of it is given, in frames of tokens.

        Raises:
            ConfigError: Nothing is left to be made.
        """
        if self.region is not None:
            return Given(made=region_box(self.region, layout, grid, frame_rate))
        over_t = grid.stride[0] * grid.patch[0]
        first = 0 if self.first is None else 1 + (len(self.first) - 1) // over_t
        last = 0 if self.last is None else (len(self.last) - 1) // over_t
        return Given(first=first, last=last)

    @property
    def task(self) -> Task:
        """As training calls it."""
        if self.region is not None:
            return Task.inpaint
        if self.first is not None and self.last is not None:
            return Task.connect
        if self.first is not None:
            return Task.first_frame if len(self.first) == 1 else Task.prefix
        return Task.text if self.last is None else Task.suffix


def region_box(region: Region, layout: Layout, grid: Grid, frame_rate: float) -> Box:
    """The tokens of which any part lies in a region.

    Args:
        region: In pixels of the wanted size, and seconds.
        layout: Of the clip.
        grid: The model's.
        frame_rate: Frames a second.

    Raises:
        ConfigError: The region lies behind the end of the clip.
    """
    tokens: TokenGrid = layout.tokens
    high, wide = grid.cell
    over_t = grid.stride[0] * grid.patch[0]
    frames = layout.wanted.frames
    begin = int(region.start_s * frame_rate + 1e-6)
    end = frames if region.end_s is None else min(frames, -int(-region.end_s * frame_rate // 1))
    if begin >= frames or end <= begin:
        raise ConfigError(
            f"the region begins at {region.start_s:g} s, and the clip has {frames} frames of {frame_rate:g} a second"
        )
    top, left = region.y + layout.top, region.x + layout.left
    return Box(
        start_frame=-(-begin // over_t),
        end_frame=min(tokens.frames, 1 + -(-(end - 1) // over_t)),
        start_row=top // high,
        end_row=-(-(top + region.height) // high),
        start_column=left // wide,
        end_column=-(-(left + region.width) // wide),
    )
