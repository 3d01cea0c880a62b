"""The section `packing` of a training config."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas import Config


class PackingConfig(Config):
    """How samples of different sizes share a step."""

    mode: Literal["pack", "bucket"] = "pack"
    """`pack`: any sizes in one sequence. `bucket`: only samples of one (frames, height, width) together."""
    token_budget: int = Field(32_768, ge=1, le=2**31)
    """Most tokens of a pack, text counted. At least four times the largest sample wastes least."""
    packs_per_step: int = Field(8, ge=1, le=2**20)
    """Packs of one update, over all ranks; a rank with several accumulates their gradients. Because it is not a number
    of ranks, the same steps come whatever the number of ranks is."""
    multiple: int = Field(1, ge=1, le=4096)
    """Packs are filled up to a multiple of so many tokens with some that teach nothing. On a CPU in bf16, where every
    number of tokens that comes by has a kernel made for it, 128 saves more time than it costs."""
    buffer: int = Field(1024, ge=0)
    """Samples that are looked at together to fill packs; 0 for the whole epoch."""
    window: int = Field(16, ge=1)
    """Steps whose packs are sorted by cost together, so that those of one step cost alike."""
    batch_size: int | None = Field(None, ge=1)
    """Samples of a pack, of `bucket`; as many as the budget holds without it."""
    buckets: tuple[tuple[int, int, int], ...] | None = None
    """The only (frames, height, width) in pixels that there may be, of `bucket`; whatever there is without it."""

    @model_validator(mode="after")
    def _keys_of_the_mode(self) -> Self:
        if self.mode == "pack":
            for key in ("batch_size", "buckets"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} is a key of mode 'bucket', and mode is 'pack'")
        return self
