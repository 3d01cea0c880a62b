"""The policy at work: words, then a judge where there is one, then the frames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from infra.policy.pictures import FrameFilter, PictureFilter, is_configured
from infra.policy.policy import DEFAULT, Policy, Refusal, load_policy

OFF, ON = "off", "default"
"""What a config may say instead of a path."""


class Gate:
    """Lets prompts in and frames out.

    Args:
        policy: What is refused.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._frames: PictureFilter | None = None

    def setup(self) -> None:
        """Load what frames are checked with, where anything is configured.

        Raises:
            ConfigError: It is not there.
        """
        if self._frames is None and is_configured(self.policy.config.pictures):
            self._frames = FrameFilter(self.policy.config.pictures)

    def prompts(self, prompts: Sequence[str]) -> list[Refusal | None]:
        """Why each is refused; None where it is not.

        Raises:
            ConfigError: There is a judge, and it cannot be asked.
        """
        found = [self.policy.check(prompt) for prompt in prompts]
        left = [number for number, refusal in enumerate(found) if refusal is None]
        config = self.policy.config.judge
        if not left or config.engine.model is None:
            return found
        from captioner import make_engine
        from infra.policy.judge import ask, template_of

        template = template_of(config)
        engine = make_engine(config.engine)
        engine.setup()
        try:
            answers = ask([prompts[number] for number in left], engine, template)
        finally:
            engine.close()
        for number, answer in zip(left, answers, strict=True):
            found[number] = answer
        return found

    def frames(self, frames: npt.NDArray[np.uint8], rate: float) -> Refusal | None:
        """Why an output is not written; None where it is.

        Args:
            frames: uint8 (F, H, W, 3), display RGB.
            rate: Frames a second.
        """
        self.setup()
        return None if self._frames is None else self._frames(frames, rate)


@cache
def gate_of(policy: str) -> Gate | None:
    """The gate of a config; None where it says `off`.

    Args:
        policy: `default`, `off`, or the path of a policy file.

    Raises:
        ConfigError: The file cannot be read, or says what does not go together.
    """
    if policy == OFF:
        return None
    return Gate(load_policy(DEFAULT if policy == ON else Path(policy)))
