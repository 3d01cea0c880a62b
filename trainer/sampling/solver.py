"""From noise to data along a flow: Euler, Heun and DPM-Solver++ over any velocity, and the times at which they look.

`x` at time 1 is noise, at time 0 data. Times may differ from sample to sample and from token to token: they are tensors
that broadcast against `x`. Where they stay 0, as on what is given, `x` stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch

from trainer.times import shifted

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""`dx / dt` at `(x, t)`, as large as `x`."""
Watch = Callable[[int], None]
"""Told how many steps are done."""


def schedule(steps: int, shift: float, start: float = 1.0) -> list[float]:
    """Times from the noise down to 0, evenly spread before they are shifted as in training.

    Args:
        steps: Between them; one time more is given.
        shift: The s of `trainer.times.shifted`.
        start: Where to begin, in (0, 1], before the shift: 1 is pure noise.
    """
    return [shifted(start * (1 - k / steps), shift) for k in range(steps + 1)]


def euler(velocity: Velocity, x: torch.Tensor, times: Sequence[torch.Tensor], watch: Watch) -> torch.Tensor:
    """Follow the velocity at the beginning of each step.

    Args:
        velocity: Of the flow.
        x: At the first time.
        times: Falling, each broadcasting against `x`.
        watch: Told of each step.
    """
    for step, (now, then) in enumerate(pairwise(times), 1):
        x = x + (then - now) * velocity(x, now)
        watch(step)
    return x


def heun(velocity: Velocity, x: torch.Tensor, times: Sequence[torch.Tensor], watch: Watch) -> torch.Tensor:
    """Follow the mean of the velocities at both ends of each step, the second looked at where the first leads.

    The last step is Euler's: models are hardly trained at time 0. Source: Karras et al. 2022, "Elucidating the design
    space of diffusion-based generative models", algorithm 1.

    Args:
        velocity: Of the flow.
        x: At the first time.
        times: Falling, each broadcasting against `x`.
        watch: Told of each step.
    """
    last = len(times) - 1
    for step, (now, then) in enumerate(pairwise(times), 1):
        first = velocity(x, now)
        ahead = x + (then - now) * first
        x = ahead if step == last else x + (then - now) * (first + velocity(ahead, then)) / 2
        watch(step)
    return x


def dpm(velocity: Velocity, x: torch.Tensor, times: Sequence[torch.Tensor], watch: Watch) -> torch.Tensor:
    """Follow the clean data that the velocities of this step and the last one point to: DPM-Solver++(2M).

    Along the half logarithm of the signal-to-noise ratio the way to a given clean point is exact, so only the change of
    that point is approximated. First and last step are of first order, where that ratio is without bound. Source: Lu et
    al. 2022, "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models", algorithm 2, with
    alpha = 1 - t and sigma = t.

    Args:
        velocity: Of the flow.
        x: At the first time.
        times: Falling, each broadcasting against `x`.
        watch: Told of each step.
    """
    before: tuple[torch.Tensor, torch.Tensor] | None = None
    for step, (now, then) in enumerate(pairwise(times), 1):
        clean = x - now * velocity(x, now)
        stride = _ratio(then) - _ratio(now)
        ahead = clean
        if before is not None:
            last_clean, last_stride = before
            # 0 where either step has no bound, and on what is given, whose time stands still.
            share = (stride / last_stride / 2).nan_to_num(0.0, 0.0, 0.0)
            ahead = clean + torch.where(stride.isfinite(), share, 0.0) * (clean - last_clean)
        kept = torch.where(now > 0, then / now.clamp(min=torch.finfo(now.dtype).tiny), 1.0)
        # alpha' - alpha sigma' / sigma: what of the clean point is new.
        x = kept * x + (1 - then - kept * (1 - now)) * ahead
        before = (clean, stride)
        watch(step)
    return x


def _ratio(time: torch.Tensor) -> torch.Tensor:
    """Half the logarithm of the signal-to-noise ratio."""
    return torch.log1p(-time) - torch.log(time)


SOLVERS: Mapping[str, Callable[[Velocity, torch.Tensor, Sequence[torch.Tensor], Watch], torch.Tensor]] = {
    "euler": euler,
    "heun": heun,
    "dpm++": dpm,
}
"""By the name in the config."""


def looks(kind: str, steps: int) -> int:
    """How often a solver asks for the velocity."""
    return 2 * steps - 1 if kind == "heun" else steps
