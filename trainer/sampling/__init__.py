"""Sampling: requests in, videos and pictures out, of any size.

What is here needs no torch, so that a mistake is found before anything heavy is loaded; `trainer.sampling.sampler` has
the `Sampler`.
"""

from __future__ import annotations

from trainer.sampling.config import SamplingConfig
from trainer.sampling.layout import Grid, Layout, lay_out
from trainer.sampling.model import ModelSource, find_model
from trainer.sampling.request import Frames, Mode, Region, Request, Shot, Size, check, check_prompt, check_size

__all__ = [
    "Frames",
    "Grid",
    "Layout",
    "Mode",
    "ModelSource",
    "Region",
    "Request",
    "SamplingConfig",
    "Shot",
    "Size",
    "check",
    "check_prompt",
    "check_size",
    "find_model",
    "lay_out",
]
