"""What a caption engine is asked, what it answers, and the protocol that all engines meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
"""Display RGB, uint8 (T, H, W, 3)."""


@dataclass(frozen=True, slots=True)
class Window:
    """The frames of a clip that the model sees."""

    frames: Frames
    """At one size, in order of time; T is 1 for a still picture."""
    times_s: tuple[float, ...]
    """When each is shown, in seconds after the clip's beginning, strictly increasing."""

    @property
    def rate(self) -> float:
        """Frames a second, on average; 1 for a single one."""
        length_s = self.times_s[-1] - self.times_s[0]
        return (len(self.times_s) - 1) / length_s if length_s > 0 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRequest:
    """One question about one clip, or about text alone."""

    request_id: str
    """The clip's id, and which try it is; it comes back with the answer and is compared."""
    prompt: str
    """What the model is asked, in plain words: the engine adds its model's own marks."""
    window: Window | None = None
    """None for a question about text."""
    max_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0
    schema: Mapping[str, Any] | None = None
    """The JSON schema that the answer is made to follow; none for free text."""
    min_tokens: int = 0
    """Tokens before which the answer may not end; for measuring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionReply:
    """What became of a request."""

    request_id: str
    text: str = ""
    finish: Literal["stop", "length", "error"] = "stop"
    """`length`: the tokens ran out before the end. `error`: there is no text, and `error` says why."""
    num_prompt_tokens: int | None = None
    """As the engine counts, those of frames included; None where it does not tell."""
    num_output_tokens: int | None = None
    error: str = ""


class Feed(Protocol):
    """Requests as they become ready."""

    def take(self, *, wait: bool) -> CaptionRequest | None:
        """The next request, in any order.

        Args:
            wait: Whether to wait for one that is still being prepared. None then means that there is no more;
                else only that none is ready yet.
        """


class CaptionEngine(Protocol):
    """A model that answers requests, several at a time."""

    @property
    def model_id(self) -> str:
        """What the tables call the model."""

    @property
    def digest(self) -> str:
        """A digest of what decides its answers, as far as it can be known."""

    def setup(self) -> None:
        """Load what is heavy, once in each worker.

        Raises:
            ConfigError: The model cannot be had.
        """

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        """Give exactly one reply for each request of the feed, in any order.

        The engine takes as many requests at a time as it can work on, so that it is never idle while one is ready.
        """

    def close(self) -> None:
        """Let go of what `setup` took."""


@dataclass(slots=True)
class ListFeed:
    """Requests that are all ready."""

    requests: list[CaptionRequest]

    def take(self, *, wait: bool) -> CaptionRequest | None:
        """The first that is left."""
        return self.requests.pop(0) if self.requests else None
