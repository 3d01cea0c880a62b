"""Which autoencoder, and how a clip goes through it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas import Config


class AutoencoderConfig(Config):
    """An autoencoder of the package diffusers."""

    model: str | None = Field(None, json_schema_extra={"affects_output": False})
    """A folder as `save_pretrained` writes it (config.json, *.safetensors), or `OWNER/MODEL/vae` of the hub. What it
    holds decides what is stale, and not where it lies."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """In which it computes."""
    tile_px: int = Field(0, ge=0, le=8192)
    """Pictures with a longer side go through it in overlapping tiles of this side, blended, which saves memory and is
    not quite the same; 0 for the whole picture."""
    tile_overlap_px: int = Field(64, ge=1, le=2048)
    """How far tiles overlap."""
    piece_frames: int = Field(0, ge=0, le=4096)
    """Longer clips go through it in pieces of so many frames, with the same result; 0 for the whole. Of no effect with
    classes that do so by themselves, and refused with those that cannot."""

    @model_validator(mode="after")
    def _tiles_overlap(self) -> Self:
        if self.tile_px and self.tile_overlap_px * 2 > self.tile_px:
            raise ValueError(f"tile_overlap_px must be at most half of tile_px, {self.tile_px}")
        return self
