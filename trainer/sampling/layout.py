"""Any size on the model's grid: the next larger one is made, and what is too much is cut off."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import LatentShape, PixelShape
from trainer.model.grid import TokenGrid, token_grid


@dataclass(frozen=True, slots=True)
class Grid:
    """What a model and its autoencoder do to pixels."""

    stride: tuple[int, int, int]
    """The autoencoder's compression in (time, height, width)."""
    patch: tuple[int, int, int]
    """Latent cells of a token."""
    channels: int
    """Of a latent."""

    @property
    def cell(self) -> tuple[int, int]:
        """Height and width of a token in pixels."""
        return self.stride[1] * self.patch[1], self.stride[2] * self.patch[2]

    def frames_up(self, frames: int) -> int:
        """The next number of frames on the grid: 1 modulo the stride in time."""
        return 1 + -(-(frames - 1) // self.stride[0]) * self.stride[0]

    def frames_down(self, frames: int) -> int:
        """The last number of frames on the grid that is not larger."""
        return 1 + (frames - 1) // self.stride[0] * self.stride[0]


@dataclass(frozen=True, slots=True)
class Layout:
    """A wanted size, and the one that is made for it."""

    wanted: PixelShape
    made: PixelShape
    latent: LatentShape
    tokens: TokenGrid

    @property
    def top(self) -> int:
        """Rows that are cut off above; the rest of what is too much is cut off below."""
        return (self.made.height - self.wanted.height) // 2

    @property
    def left(self) -> int:
        """Columns that are cut off at the left."""
        return (self.made.width - self.wanted.width) // 2

    @property
    def cell_px(self) -> tuple[float, float]:
        """Height and width of a token in pixels."""
        return self.made.height / self.tokens.height, self.made.width / self.tokens.width

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """What is cut off: rows above and below, columns at the left and at the right."""
        rows, columns = self.made.height - self.wanted.height, self.made.width - self.wanted.width
        return self.top, rows - self.top, self.left, columns - self.left

    def note(self) -> str | None:
        """One sentence on what is cut off; None where nothing is."""
        if self.made == self.wanted:
            return None
        return f"{_told(self.wanted)} is not on the model's grid: {_told(self.made)} is made and cut to it"


def lay_out(frames: int, height: int, width: int, grid: Grid) -> Layout:
    """Lay noise patches out for a size.

    Args:
        frames: Wanted, at least one.
        height: Wanted, in pixels.
        width: Wanted, in pixels.
        grid: The model's.
    """
    over_h, over_w = grid.cell
    made = PixelShape(grid.frames_up(frames), -(-height // over_h) * over_h, -(-width // over_w) * over_w)
    latent = LatentShape.of(made, channels=grid.channels, stride=grid.stride)
    tokens = token_grid(latent.frames, latent.height, latent.width, grid.patch)
    return Layout(PixelShape(frames, height, width), made, latent, tokens)


def _told(pixels: PixelShape) -> str:
    length = f" of {pixels.frames} frames" if pixels.frames > 1 else ""
    return f"{pixels.width}x{pixels.height}{length}"
