"""The diffusion transformer: its sizes here, its layers in the modules below, which import torch."""

from __future__ import annotations

from trainer.model.config import SIZES, ModelConfig, RopeConfig, Size
from trainer.model.grid import TokenGrid, token_grid

__all__ = ["SIZES", "ModelConfig", "RopeConfig", "Size", "TokenGrid", "token_grid"]
