"""The section `bucket` of a run's config, and the check that it can hold the longest clips."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.buckets.assign import RATE_SLACK, Grid, assign
from schemas import Config, ConfigError

_Step = Annotated[int, Field(ge=1, le=256)]

_SCREENS = ((16, 9), (9, 16), (32, 9))
"""Aspect ratios (width, height) at which the longest clip is tried, up to the widest screens that are sold."""
_LARGE_PX = 1080


class BucketConfig(Config):
    """The grid and the budget of tokens."""

    token_budget: int = Field(75_600, ge=1, le=2**31)
    """Most tokens of a clip, text not counted: 81 frames of 720x1280 under the defaults below (Wan 2.1's largest)."""
    vae_stride: tuple[_Step, _Step, _Step] = (4, 8, 8)
    """The autoencoder's compression in (time, height, width); causal, so frames are 1 modulo the first."""
    patch: tuple[_Step, _Step, _Step] = (1, 2, 2)
    """The transformer's patch in (time, height, width) of the latent; the first is 1, or pictures had no place."""
    max_frame_rate: float = Field(30.0, ge=1, le=1000, allow_inf_nan=False)
    """Frames a second; of faster clips every second, third, ... frame is taken."""
    min_side: int = Field(240, ge=1, le=1024, json_schema_extra={"affects_output": False})
    """Pixels of the shorter side below which the budget must not push the longest clips of a large screen; a config
    that would is refused."""

    @model_validator(mode="after")
    def _pictures_fit(self) -> Self:
        if self.patch[0] != 1:
            raise ValueError(f"patch must be 1 in time, or a picture of one frame had no patch, got {self.patch}")
        return self

    def grid(self) -> Grid:
        """What the assignment needs of this."""
        return Grid(
            token_budget=self.token_budget,
            stride_t=self.vae_stride[0],
            cell_height=self.vae_stride[1] * self.patch[1],
            cell_width=self.vae_stride[2] * self.patch[2],
            max_frame_rate=self.max_frame_rate,
        )


def check_budget(config: BucketConfig, max_clip_s: float) -> None:
    """Refuse a budget too small for the longest clips there will be.

    Args:
        config: The grid and the budget.
        max_clip_s: The longest clip, in seconds.

    Raises:
        ConfigError: The longest clip of a large 16:9, 9:16 or 32:9 picture would come below `min_side`.
    """
    grid = config.grid()
    frames = int(max_clip_s * config.max_frame_rate * RATE_SLACK) + 1
    for wide, high in _SCREENS:
        short = min(wide, high)
        width, height = wide * _LARGE_PX // short, high * _LARGE_PX // short
        found = assign([width], [height], [frames], [max(1, round(max_clip_s * 1e6))], [1], [1_000_000], grid)
        side = min(int(found.height[0]), int(found.width[0]))
        if side < config.min_side:
            raise ConfigError(
                f"bucket.token_budget: {config.token_budget} tokens leave a clip of scan.max_clip_s = {max_clip_s:g} s "
                f"at {wide}:{high} only {found.height[0]}x{found.width[0]}, below bucket.min_side = {config.min_side}; "
                "raise the budget, or shorten the clips"
            )
