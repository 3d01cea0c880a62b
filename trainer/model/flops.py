"""What a forward pass costs, as a formula over arrays of samples: for balance between ranks, and for MFU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.model.config import ModelConfig

Floats = npt.NDArray[np.float64]

_PER_MAC = 2
_TIME_CHANNELS = 256
_PLACE_CHANNELS = 16
TRAINED_OVER_FORWARD = 3
"""A backward pass costs twice its forward pass."""


def forward_flops(
    config: ModelConfig,
    tokens: npt.ArrayLike,
    text_tokens: npt.ArrayLike,
    *,
    patch_channels: int,
    text_width: int,
    out_channels: int | None = None,
) -> Floats:
    """FLOPs of a forward pass for each sample, float64 (N,).

    Source: agrees with the Gflops (in fact MACs) of Peebles and Xie 2022, table 1, for their blocks, and with the
    formula of FastVideo for Wan's: a block's 8 h²L + 4 h²L + 4 h²C + 4 hfL + 4 L²h + 4 LCh.

    Args:
        config: The model.
        tokens: Video tokens of each sample, (N,).
        text_tokens: Text tokens of each sample, (N,).
        patch_channels: Numbers in a token of the latent.
        text_width: Numbers in a token of the text encoder; 0 for a model that reads no text.
        out_channels: Numbers that the model gives for a patch; as many as come in without it.
    """
    size = config.dimensions()
    h, video = float(size.width), np.asarray(tokens, np.float64)
    text = np.asarray(text_tokens, np.float64) if text_width else np.zeros_like(video)
    length = video + text if config.text == "joint" else video
    block = (4 * h * h + 2 * h * h * config.mlp_ratio) * length + 2 * h * length**2
    if text_width and config.text == "cross":
        block += 2 * h * h * video + 2 * h * h * text + 2 * h * video * text
    modulation = 6 * h * h
    rows = size.depth if config.modulation == "block" else 1
    ends = h * (patch_channels + (out_channels or patch_channels)) * video + (h * text_width + h * h) * text * bool(
        text_width
    )
    if config.places:
        ends += h * _PLACE_CHANNELS * video
    once = modulation * rows + 2 * h * h + _TIME_CHANNELS * h + h * h
    return _PER_MAC * (size.depth * block + ends + once)
