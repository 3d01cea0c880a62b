from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from trainer.vae_train.figures import flicker, psnr_db, ssim


def clip(seed: int = 0) -> torch.Tensor:
    return torch.rand(3, 4, 40, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_copy_is_perfect() -> None:
    assert psnr_db(clip(), clip()) == 100
    assert ssim(clip(), clip()) == pytest.approx(1, abs=1e-5)
    assert flicker(clip(), clip())[0] == 0


def test_psnr_is_that_of_8_bit_levels() -> None:
    # Off by 2 of 255 levels everywhere.
    assert psnr_db(clip() + 2 / 127.5, clip()) == pytest.approx(20 * math.log10(255 / 2), abs=1e-3)


def test_ssim_is_that_of_the_paper() -> None:
    x, y = (one.sum(0, keepdim=True).expand(3, -1, -1, -1) / 3 for one in (clip(0), clip(1)))
    mine = ssim(x, y)
    # Written out at one place at a time.
    place = np.arange(11) - 5
    bell = np.exp(-(place**2) / (2 * 1.5**2))
    weights = np.outer(bell, bell) / bell.sum() ** 2
    values = []
    a, b = ((one[0].numpy() + 1) / 2 for one in (x, y))
    for frame in range(a.shape[0]):
        for top in range(a.shape[1] - 10):
            for left in range(a.shape[2] - 10):
                p, q = (one[frame, top : top + 11, left : left + 11] for one in (a, b))
                mp, mq = (p * weights).sum(), (q * weights).sum()
                vp, vq = (p * p * weights).sum() - mp**2, (q * q * weights).sum() - mq**2
                shared = (p * q * weights).sum() - mp * mq
                top_half = (2 * mp * mq + 1e-4) * (2 * shared + 9e-4)
                values.append(top_half / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    assert mine == pytest.approx(float(np.mean(values)), abs=1e-4)


def test_flicker_sees_what_changes_from_frame_to_frame_alone() -> None:
    still = clip()[:, :1].expand(-1, 4, -1, -1)
    assert flicker(still + 0.1, still) == (pytest.approx(0, abs=1e-4), 0.0)
    blinking = still + torch.tensor([0.0, 0.1, 0.0, 0.1]).view(1, 4, 1, 1)
    assert flicker(blinking, still)[0] == pytest.approx(12.75, abs=1e-3)
    assert flicker(clip()[:, :1], clip()[:, :1]) == (0.0, 0.0)
