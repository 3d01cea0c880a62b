"""Measure an autoencoder on the middle windows of clips."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from schemas import ConfigError
from trainer.autoencoder.protocol import Autoencoder
from trainer.vae_train.figures import Figures, flicker, psnr_db, ssim


def evaluate(model: Autoencoder, windows: Iterable[torch.Tensor]) -> Figures:
    """What is left of windows after the autoencoder; means over them.

    Args:
        model: What is measured.
        windows: float32 (3, F, H, W) in [-1, 1] each.

    Raises:
        ConfigError: There are none.
    """
    found: list[tuple[float, float, float, float]] = []
    for window in windows:
        back = model.decode(model.encode(window)).cpu()
        found.append((psnr_db(back, window), ssim(back, window), *flicker(back, window)))
    if not found:
        raise ConfigError("there are no clips to measure by: all that are kept back cannot be read")
    means = torch.tensor(found, dtype=torch.float64).mean(0).tolist()
    return Figures(len(found), *(round(value, 4) for value in means))
