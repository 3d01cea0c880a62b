"""How much of a clip is left after the autoencoder: PSNR, SSIM, and how much it flickers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

_SSIM_SIDE, _SSIM_SIGMA = 11, 1.5
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2
"""Source: Wang et al. 2004, "Image quality assessment", section III.B: window, K1 and K2."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over clips."""

    num_clips: int
    psnr_db: float
    """Peak signal-to-noise ratio of each clip; higher is better."""
    ssim: float
    """Structural similarity of luma, up to 1."""
    flicker: float
    """How far the change from one frame to the next is off, in 8-bit levels; 0 for a perfect copy."""
    motion: float
    """How large that change is in the clips themselves, in 8-bit levels: what flicker is to be seen against."""

    def to_json(self) -> dict[str, float]:
        """Its fields."""
        return asdict(self)


def psnr_db(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Peak signal-to-noise ratio of clips in [-1, 1]; at most 100."""
    error = float((ours - theirs).square().mean()) / 4
    return min(100.0, -10 * float(torch.log10(torch.tensor(max(error, 1e-10)))))


def ssim(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Structural similarity of two clips (3, F, H, W) in [-1, 1], frame by frame on luma; both sides at least 11."""
    x, y = (_luma(clip) for clip in (ours, theirs))
    place = torch.arange(_SSIM_SIDE, dtype=torch.float32) - _SSIM_SIDE // 2
    bell = torch.exp(-(place**2) / (2 * _SSIM_SIGMA**2))
    bell = bell / bell.sum()
    kernel = (bell[:, None] * bell)[None, None]

    def mean(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(values, kernel)

    mean_x, mean_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    shared = mean(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + _SSIM_C1) * (2 * shared + _SSIM_C2)
    return float((top / ((mean_x**2 + mean_y**2 + _SSIM_C1) * (var_x + var_y + _SSIM_C2))).mean())


def flicker(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[float, float]:
    """How far the change between frames is off, and how large it is in `theirs`, in 8-bit levels; 0 of one frame."""
    if ours.shape[1] < 2:
        return 0.0, 0.0
    change, true = (clip[:, 1:] - clip[:, :-1] for clip in (ours, theirs))
    return float((change - true).abs().mean()) * 127.5, float(true.abs().mean()) * 127.5


def _luma(clip: torch.Tensor) -> torch.Tensor:
    """(F, 1, H, W) in [0, 1]. Source: ITU-R BT.709, item 3.2."""
    weights = torch.tensor([0.2126, 0.7152, 0.0722]).view(3, 1, 1, 1)
    return (((clip + 1) / 2) * weights).sum(0)[:, None]
