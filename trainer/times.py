"""Where on the path from a clean latent to noise one trains: how often each time is drawn, and how sizes shift it."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

from pydantic import Field

from schemas import Config, PixelShape
from trainer.model.grid import TokenGrid


class ShiftConfig(Config):
    """How much larger clips are trained at noisier times: more tokens show the same through more noise."""

    rule: Literal["none", "constant", "sd3", "exponential", "open_sora_1_2", "open_sora_2"] = "sd3"
    """By which `t` becomes `s t / (1 + (s - 1) t)`. `constant`: s is `value`. `sd3`: the root of tokens over
    `base_tokens`. `exponential`: e to a power that is linear in tokens (Flux, LTX). `open_sora_*`: as they do."""
    value: float = Field(3.0, gt=0, allow_inf_nan=False)
    """The s of `constant`."""
    base_tokens: int = Field(1024, ge=1)
    """Tokens of a clip that is not shifted, of `sd3`."""
    low: tuple[int, float] = (256, 0.5)
    """Tokens and power at one end of the line of `exponential`."""
    high: tuple[int, float] = (4096, 1.15)
    """Tokens and power at its other end. Flux has (256, 0.5) and (4096, 1.15); LTX (1024, 0.95) and (4096, 2.05)."""


class FlowConfig(Config):
    """What the model says, and at which times it is trained."""

    prediction: Literal["velocity", "clean", "angular"] = "velocity"
    """What comes out of the model: the velocity; the clean patches (as Sora's report words it); or the velocity along
    the angle between clean and noise (Salimans and Ho's v), which is clean patches at the noise and noise at the clean
    end."""
    loss: Literal["velocity", "prediction"] = "velocity"
    """In which of the two the squared error is taken: always the velocity, or what the model says."""
    density: Literal["logit_normal", "uniform"] = "logit_normal"
    """How often each time is trained, before the shift."""
    logit_mean: float = Field(0.0, allow_inf_nan=False)
    """Of the logit of a time; above 0 is noisier."""
    logit_std: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Of the logit of a time."""
    uniform_ratio: float = Field(0.0, ge=0, le=1)
    """How often a time of `logit_normal` is drawn evenly instead, so that the ends are never forgotten."""
    shift: ShiftConfig = ShiftConfig()


def draw_time(place: float, kind: float, config: FlowConfig, shift: float) -> float:
    """A time in (0, 1), from two even numbers: where in the density, and which density.

    Args:
        place: In [0, 1).
        kind: In [0, 1).
        config: The density.
        shift: The s of `shifted`.
    """
    place = min(max(place, 1e-6), 1 - 1e-6)
    if config.density == "uniform" or kind < config.uniform_ratio:
        return shifted(place, shift)
    logit = NormalDist(config.logit_mean, config.logit_std).inv_cdf(place)
    return shifted(1 / (1 + math.exp(-logit)), shift)


def shifted(time: float, shift: float) -> float:
    """A time moved towards the noise. Source: Esser et al. 2024 (SD3), equation 23.

    Args:
        time: In [0, 1].
        shift: 1 moves nothing.
    """
    return shift * time / (1 + (shift - 1) * time)


def shift_of(config: ShiftConfig, grid: TokenGrid, pixels: PixelShape) -> float:
    """The s of a clip.

    Source: Flux, `flux/sampling.py: get_lin_function, time_shift`; Open-Sora 2.0, `opensora/utils/sampling.py:
    get_res_lin_function, time_shift`; Open-Sora 1.2, `opensora/schedulers/rf/rectified_flow.py: timestep_transform`.

    Args:
        config: The rule.
        grid: The clip's tokens.
        pixels: The clip in pixels.
    """
    match config.rule:
        case "none":
            return 1.0
        case "constant":
            return config.value
        case "sd3":
            return math.sqrt(grid.num_tokens / config.base_tokens)
        case "exponential":
            return math.exp(_line(grid.num_tokens, config.low, config.high))
        case "open_sora_2":
            return _line(grid.height * grid.width, (256, 1.0), (4096, 3.0)) * math.sqrt(grid.frames)
        case "open_sora_1_2":
            frames = 1 if pixels.frames == 1 else pixels.frames // 17 * 5
            return math.sqrt(pixels.height * pixels.width / 512**2) * math.sqrt(max(frames, 1))


def _line(x: float, low: tuple[int, float], high: tuple[int, float]) -> float:
    return low[1] + (high[1] - low[1]) * (x - low[0]) / (high[0] - low[0])
