"""The section `model` of a training config, and the sizes that have a name."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from schemas import Config


class Size(NamedTuple):
    """How deep and wide a transformer is."""

    depth: int
    """Blocks."""
    width: int
    """Channels of a token."""
    heads: int
    """Of attention."""


SIZES = {
    "tiny": Size(6, 128, 4),
    "S": Size(12, 384, 6),
    "B": Size(12, 768, 12),
    "L": Size(24, 1024, 16),
    "XL": Size(28, 1152, 16),
    "1B": Size(20, 1536, 12),
}
"""By name. `tiny` is for the miniature world. Source of S to XL: Peebles and Xie 2022, "Scalable diffusion models with
transformers", table 1."""


EXPORT_VERSION = 2
"""Of an exported model's folder; raised when a reader of the version before could not read what is written now."""


class RopeConfig(Config):
    """How tokens know where they are: rotations by time in seconds and by place in pixels.

    A frame rate or a picture size that was never trained is so a matter of finer or wider steps on the same axes.
    """

    theta: float = Field(10_000.0, gt=1, allow_inf_nan=False)
    """The longest wave is about `2 pi theta` units."""
    unit_s: float = Field(1 / 6, gt=0, allow_inf_nan=False)
    """Seconds of one unit of time: a latent frame of 4 frames at 24 frames a second."""
    unit_px: float = Field(16.0, gt=0, allow_inf_nan=False)
    """Pixels of one unit of height and width, counted from the picture's centre: a patch of an 8-fold autoencoder."""
    axes: tuple[int, int, int] | None = None
    """Channels of a head for (time, height, width), each even; without it a third each, the rest to time."""
    extrapolation: Literal["none", "interpolate", "ntk"] = "none"
    """What is done about clips that reach beyond `trained`: nothing, positions drawn together, or longer waves (the
    shortest stay as they are)."""
    trained_s: float = Field(10.0, gt=0, allow_inf_nan=False)
    """The longest clip that was trained, in seconds."""
    trained_px: float = Field(1024.0, gt=0, allow_inf_nan=False)
    """The longest side that was trained, in pixels."""


class ModelConfig(Config):
    """The transformer."""

    size: Literal["tiny", "S", "B", "L", "XL", "1B"] | None = "B"
    """One with a name; without it `depth`, `width` and `heads` say it."""
    depth: int | None = Field(None, ge=1, le=512)
    """Blocks; overrides the size's."""
    width: int | None = Field(None, ge=8, le=2**16)
    """Channels of a token; overrides the size's."""
    heads: int | None = Field(None, ge=1, le=1024)
    """Heads of attention; overrides the size's."""
    mlp_ratio: float = Field(4.0, gt=0, le=16)
    """Hidden channels of a block's MLP over its width."""
    patch: tuple[int, int, int] = (1, 2, 2)
    """Latent cells of a token in (time, height, width)."""
    text: Literal["cross", "joint"] = "cross"
    """`cross`: video tokens look at text tokens in an attention of their own. `joint`: both are one sequence."""
    modulation: Literal["block", "shared"] = "block"
    """`block`: each block makes shifts, scales and gates from the timestep, as DiT. `shared`: one layer makes them for
    all blocks, each of which adds a table of its own (PixArt's adaLN-single), a third fewer parameters."""
    qk_norm: bool = True
    """Queries and keys are brought to one length, which keeps attention calm at high learning rates."""
    rope: RopeConfig = RopeConfig()
    places: bool = False
    """Tokens are also told where in their picture they lie, as shares of its height and width; without it only the
    distances of `rope` are known, as in most video models, and in pure noise nothing says where the picture ends."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.size is None and None in (self.depth, self.width, self.heads):
            raise ValueError("size is null, so depth, width and heads must all be given")
        size = self.dimensions()
        head_width, rest = divmod(size.width, size.heads)
        if rest or head_width % 2:
            raise ValueError(f"width {size.width} over {size.heads} heads must give an even number of channels")
        axes = self.rope.axes
        if axes is not None and (sum(axes) != head_width or any(axis % 2 or axis < 0 for axis in axes)):
            raise ValueError(f"rope.axes must be even and add up to the {head_width} channels of a head, got {axes}")
        if self.patch[0] != 1 or any(side < 1 for side in self.patch):
            raise ValueError(f"patch must be 1 in time, or a picture of one frame had no patch, got {self.patch}")
        return self

    def dimensions(self) -> Size:
        """Depth, width and heads, from the name and what overrides it."""
        named = SIZES[self.size] if self.size else Size(0, 0, 0)
        return Size(self.depth or named.depth, self.width or named.width, self.heads or named.heads)
