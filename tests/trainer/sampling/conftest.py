"""The sampler of a model that training has made in three steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trainer.sampling import ModelSource, SamplingConfig, find_model
from trainer.sampling.sampler import Sampler


@pytest.fixture(scope="session")
def sampling_config(sample_values: Callable[..., dict[str, object]]) -> Callable[..., SamplingConfig]:
    """The config for one of the autoencoders."""
    return lambda kind="video", **changes: SamplingConfig.model_validate(sample_values(kind, **changes))


@pytest.fixture(scope="session")
def samplers(sampling_config: Callable[..., SamplingConfig]) -> Callable[[str], Sampler]:
    """A loaded sampler for one of the autoencoders."""
    made: dict[str, Sampler] = {}

    def sampler(kind: str = "video") -> Sampler:
        if kind not in made:
            config = sampling_config(kind)
            made[kind] = Sampler(config, find_model(config))
        return made[kind]

    return sampler


@pytest.fixture(scope="session")
def model_source(sampling_config: Callable[..., SamplingConfig]) -> ModelSource:
    return find_model(sampling_config())
