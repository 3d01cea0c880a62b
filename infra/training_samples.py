"""What a model makes while it trains: the same prompts each time, written as `rushes sample` writes them."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from infra.policy.gate import gate_of
from infra.policy.policy import Refusal
from infra.sample_config import SampleConfig
from infra.sample_output import Job, Writer
from infra.sample_request import given_of, make_asked
from schemas import ConfigError, RushesError, load_config
from trainer.config import SamplesConfig, TrainConfig
from trainer.run_folder import Pinned
from trainer.sampling import check_prompt, find_model
from trainer.sampling.model import find_encoders
from trainer.sampling.plan import available_memory, plan
from trainer.sampling.sampler import Sampler, device_of

FOLDER = "samples"
"""In the run's."""


class TrainingSamples:
    """Makes samples of a run.

    Args:
        config: What is made, and how.
        run: The run's folder.

    Raises:
        ConfigError: The recipe cannot be read, or the policy refuses a prompt.
    """

    def __init__(self, config: SamplesConfig, run: Path) -> None:
        assert config.recipe is not None
        self._prompts, self._folder = config.prompts, run / FOLDER
        # How many threads torch has is the training's to say.
        self._config = load_config(SampleConfig, Path(config.recipe)).model_copy(update={"threads": None})
        for prompt in self._prompts:
            check_prompt(prompt, self._config)
        gate = gate_of(self._config.policy)
        if gate is not None:
            gate.setup()
            for prompt, refusal in zip(self._prompts, gate.prompts(self._prompts), strict=True):
                if refusal is not None:
                    raise ConfigError(f"samples.prompts: {prompt!r} is {refusal}")

    def begin(self, pinned: Pinned) -> None:
        """Check that the encoders of the recipe are those of the run.

        Raises:
            ConfigError: They are not.
        """
        find_encoders(self._config, pinned.digests, reads_text=pinned.text_width > 0)

    def __call__(self, model: Path, step: int) -> None:
        """Make and write them; what this machine cannot do is said, and the training goes on."""
        try:
            # A training is the same with samples and without.
            with torch.random.fork_rng():
                self._make(model, step)
        except RushesError as error:
            _say(f"step {step}: no samples: {error}")

    def _make(self, model: Path, step: int) -> None:
        self._folder.mkdir(exist_ok=True)
        config = self._config.model_copy(update={"model": str(model)})
        source = find_model(config)
        jobs = [self._job(prompt, number, step, config) for number, prompt in enumerate(self._prompts, 1)]
        requests = [job.given.request for job in jobs]
        planned = plan(requests, config, source, available_memory(config, device_of(config)))
        planned.refuse()
        writer = Writer(config, source)
        for job, made in zip(jobs, Sampler(config, source).sample(requests), strict=True):
            written = writer.write(job, made.frames, draft=False)
            if isinstance(written, Refusal):
                _say(f"{job.asked.out}: {written}")

    def _job(self, prompt: str, number: int, step: int, config: SampleConfig) -> Job:
        out = self._folder / f"{step:08d}-{number}.mp4"
        asked = make_asked({"prompt": prompt, "out": out, "seed": number}, "samples.prompts")
        return Job(asked, given_of(asked, config))


def samples_of(config: TrainConfig, run: Path) -> TrainingSamples | None:
    """What makes a run's samples; None where its config asks for none.

    Raises:
        ConfigError: The recipe cannot be read, or the policy refuses a prompt.
    """
    return TrainingSamples(config.samples, run) if config.samples.prompts else None


def _say(text: str) -> None:
    print(f"rushes: {text}", file=sys.stderr, flush=True)  # noqa: T201
