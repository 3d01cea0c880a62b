"""The config of a training run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from schemas import Config
from schemas.caption_mix import CaptionMixConfig
from trainer.model.config import ModelConfig
from trainer.packing.config import PackingConfig
from trainer.tasks import TasksConfig
from trainer.times import FlowConfig

_NO_EFFECT: JsonDict = {"affects_output": False}


class DataConfig(Config):
    """Which samples are read."""

    text_set: str | None = None
    """The set of texts to read, as `text-0f9e8d7c6b5a`; may be left out where the dataset has one."""
    autoencoder_digest: str | None = None
    """What made the latents; others are refused. Without it whatever made them is taken, and pinned by the run."""
    preprocess_digest: str | None = None
    """How frames were prepared for it."""
    text_encoder_digest: str | None = None
    """What made the texts."""
    captions: CaptionMixConfig = CaptionMixConfig()
    held_out_ratio: float = Field(0.02, ge=0, lt=1)
    """Share of the videos, none of whose clips is trained on: what `held_out` measures."""
    max_bad_ratio: float = Field(0.01, ge=0, le=1)
    """Damaged samples are left out and counted; more than this share of those read, and the run ends."""
    readers: int = Field(2, ge=1, le=256, json_schema_extra=_NO_EFFECT)
    """Threads of a rank that read ahead."""
    steps_ahead: int = Field(2, ge=1, le=64, json_schema_extra=_NO_EFFECT)
    """Steps that are read ahead."""


class OptimizerConfig(Config):
    """How weights follow gradients."""

    kind: Literal["adamw", "muon"] = "adamw"
    """`muon`: matrices of the blocks follow orthogonalised gradients, everything else AdamW."""
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False)
    """The highest, of a model of `base_width`; matrices of wider ones get proportionally less (muP), so that one rate
    serves all widths. Source: Yang et al. 2022, "Tensor programs V", table 8."""
    base_width: int = Field(256, ge=1)
    """The width for which `learning_rate` is meant as it stands."""
    muon_learning_rate: float = Field(0.02, gt=0, allow_inf_nan=False)
    """The highest of matrices under `muon`; their updates have the same size at any width already."""
    warmup_steps: int = Field(500, ge=0)
    """Steps over which the rate rises from 0."""
    schedule: Literal["constant", "cosine"] = "constant"
    """What the rate does afterwards: stay, or fall along a cosine to `final_ratio` at the last step."""
    # It has an effect, as `steps` has, and like that may change when a run goes on.
    decay_steps: int = Field(0, ge=0, json_schema_extra=_NO_EFFECT)
    """Of `constant`: so many last steps over which the rate falls evenly to `final_ratio` all the same. A run may go on
    with other ones. Source: Hu et al. 2024 (MiniCPM), section 4: warm-up, stable, decay."""
    final_ratio: float = Field(0.1, ge=0, le=1)
    """Of the highest rate, at the last step."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Of AdamW's two means."""
    eps: float = Field(1e-8, gt=0)
    """Of AdamW."""
    momentum: float = Field(0.95, ge=0, lt=1)
    """Of Muon."""
    weight_decay: float = Field(0.01, ge=0, allow_inf_nan=False)
    """On matrices, a step's share of it being the rate at `base_width`."""

    @model_validator(mode="after")
    def _falls_once(self) -> Self:
        if self.decay_steps and self.schedule != "constant":
            raise ValueError(f"decay_steps is a key of schedule 'constant', and schedule is {self.schedule!r}")
        return self


class GuardConfig(Config):
    """What is done about gradients that are too large."""

    max_norm: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Gradients are scaled down to this norm as long as too few are known."""
    known_steps: int = Field(100, ge=2)
    """From so many steps on, the limit is mean + `sigmas` standard deviations of the norms so far."""
    sigmas: float = Field(3.0, gt=0, allow_inf_nan=False)
    """Source: Open-Sora Plan 1.5, its adaptive clipping."""
    decay: float = Field(0.99, gt=0, lt=1)
    """Of the running mean and variance, which steps over the limit do not enter."""


class EngineConfig(Config):
    """What DeepSpeed does."""

    zero_stage: Literal[1, 2, 3] = Field(1, json_schema_extra=_NO_EFFECT)
    """What is shared out among ranks: optimizer states, gradients too, weights too."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Of weights and activations in a step; masters and optimizer states are fp32 always."""
    sequence_ranks: int = Field(1, ge=1, json_schema_extra=_NO_EFFECT)
    """Neighbouring ranks that share each pack, for clips too long for one (Ulysses); they divide the heads."""
    checkpointing: bool = Field(False, json_schema_extra=_NO_EFFECT)
    """Compute a block again for its gradients and keep nothing of it: a third more work, a fraction of the memory."""
    compile: bool = Field(False, json_schema_extra=_NO_EFFECT)
    """Compile each block by torch.compile; not with ZeRO-3, where it breaks into pieces and gains nothing."""
    bucket_mb: float = Field(50.0, gt=0, json_schema_extra=_NO_EFFECT)
    """Millions of numbers that are reduced together."""
    threads: int | None = Field(None, ge=1, json_schema_extra=_NO_EFFECT)
    """Threads of torch in a rank; its own choice without it."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        if self.compile and self.zero_stage == 3:
            raise ValueError("compile does not go with zero_stage 3")
        return self


class HeldOutConfig(Config):
    """How the loss on held-out videos is measured."""

    every_steps: int = Field(500, ge=1, json_schema_extra=_NO_EFFECT)
    """Steps between two measurements."""
    num_samples: int = Field(64, ge=0, json_schema_extra=_NO_EFFECT)
    """Clips; 0 for none."""
    num_times: int = Field(9, ge=1, le=100, json_schema_extra=_NO_EFFECT)
    """Times on the path, evenly spread."""


class SamplesConfig(Config):
    """What the model makes while it trains, for people to look at: RUN/samples/STEP-NUMBER.mp4."""

    every_steps: int = Field(5000, ge=1, json_schema_extra=_NO_EFFECT)
    """Steps between two sets, each of them from a checkpoint."""
    prompts: tuple[str, ...] = Field((), max_length=64, json_schema_extra=_NO_EFFECT)
    """Always the same ones, each with a noise of its own that stays the same; nothing is made without one."""
    recipe: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """A config of `rushes sample`: with which encoders, how large, how long; the `model` in it does not count."""

    @model_validator(mode="after")
    def _has_recipe(self) -> Self:
        if self.prompts and self.recipe is None:
            raise ValueError("prompts need a recipe")
        return self


class CheckpointConfig(Config):
    """When the run is saved."""

    every_steps: int = Field(1000, ge=1, json_schema_extra=_NO_EFFECT)
    """Steps between two checkpoints."""
    keep: int = Field(3, ge=1, json_schema_extra=_NO_EFFECT)
    """Newest checkpoints that are kept."""
    beside: bool = Field(True, json_schema_extra=_NO_EFFECT)
    """Write beside the training, from a copy in main memory; else the training waits for the disk."""


class LogConfig(Config):
    """Where figures go besides `steps.jsonl`."""

    tensorboard: bool = Field(False, json_schema_extra=_NO_EFFECT)
    """Write `RUN/tensorboard`; needs the package tensorboard."""
    wandb_project: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """Send them to this project of Weights & Biases; needs the package wandb and its key in the environment."""
    peak_tflops: float | None = Field(None, gt=0, json_schema_extra=_NO_EFFECT)
    """Of one device, in dense products of the run's precision, for MFU; known for common GPUs, measured otherwise."""


class TrainConfig(Config):
    """How a diffusion transformer is trained."""

    steps: int = Field(100_000, ge=1)
    """Updates of the weights."""
    seed: int = Field(0, ge=0, le=2**31 - 1)
    """Of weights, order, times, tasks, captions and noise."""
    ema_decay: float = Field(0.9999, ge=0, lt=1)
    """Of the running mean of the weights, which is what is exported; 0 for the weights themselves."""
    saved_as: Literal["float32", "bfloat16", "float16"] = Field("float32", json_schema_extra=_NO_EFFECT)
    """The number format of the exported model's weights."""
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    packing: PackingConfig = PackingConfig()
    flow: FlowConfig = FlowConfig()
    tasks: TasksConfig = TasksConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    guard: GuardConfig = GuardConfig()
    engine: EngineConfig = EngineConfig()
    held_out: HeldOutConfig = HeldOutConfig()
    samples: SamplesConfig = SamplesConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _sequences_divide(self) -> Self:
        count, heads = self.engine.sequence_ranks, self.model.dimensions().heads
        if heads % count:
            raise ValueError(f"engine.sequence_ranks: {count} ranks do not divide the model's {heads} heads")
        if count > 1 and self.model.text == "joint":
            raise ValueError("engine.sequence_ranks does not go with model.text 'joint'")
        return self
