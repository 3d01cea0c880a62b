"""Prompts are written out for the page: one request at a time, by a model that is loaded for the first.

It stays loaded beside the sampler until the server ends. Plans do not count its memory: `memory_gib` can leave room.
"""

from __future__ import annotations

from threading import Lock

from pydantic import Field

from infra.expansion import Expander, WrittenOut
from infra.prompts import check_judged, named, under
from infra.sample_config import SampleConfig
from infra.studio.form import MAX_SHOTS, Text
from schemas import Config, ConfigError

MAX_WAITING = 8
"""Requests; more are refused."""


class Wording(Config):
    """What a person wants to have written out."""

    prompt: Text
    """Of shots: their subject."""
    shots: tuple[Text, ...] = Field((), max_length=MAX_SHOTS)
    """The prompts of shots; without any it is the prompt itself."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """What the model is told, each by itself."""
        return tuple(under(self.prompt, shot) for shot in self.shots) or (self.prompt,)


class Scribe:
    """Has prompts written out, for any thread.

    Args:
        config: With a model for it, or none.

    Raises:
        ConfigError: The model is none.
    """

    def __init__(self, config: SampleConfig) -> None:
        self._config = config
        self._expander = Expander(config) if config.expand.model is not None else None
        self._turn = Lock()
        self._is_closed = False

    @property
    def is_there(self) -> bool:
        """Whether a model is named for it."""
        return self._expander is not None

    def write_out(self, wording: Wording) -> list[WrittenOut]:
        """Ask the model for each prompt.

        Raises:
            ConfigError: A prompt is refused, the model cannot be had, or the server ends.
        """
        assert self._expander is not None, "is_there was not asked"
        prompts = named(wording.prompts, are_shots=bool(wording.shots))
        check_judged(prompts, self._config)
        found = []
        with self._turn:
            for where, prompt in prompts:
                if self._is_closed:
                    raise ConfigError("the server ends")
                try:
                    found.append(self._expander(prompt))
                except ConfigError as error:
                    raise ConfigError(f"{where}{error}") from error
        return found

    def close(self) -> None:
        """Let the model go, once it has answered what it was asked."""
        self._is_closed = True
        with self._turn:
            if self._expander is not None:
                self._expander.close()
