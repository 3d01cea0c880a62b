"""The config of `rushes captioner train`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from captioner.config import FramesConfig
from captioner.random_start import RandomStartConfig
from schemas import Config
from schemas.caption import CaptionKind

_NO_EFFECT: JsonDict = {"affects_output": False}


class PhaseConfig(Config):
    """A part of the training: what is asked, and what is to be answered."""

    prompt: str
    """The name of one of `captioner/prompts/*.md`, or a path."""
    kinds: dict[CaptionKind, float]
    """Kinds of captions to answer with, and how often each is drawn."""
    steps: int = Field(ge=1)
    """Updates of the weights."""
    answers: tuple[str, ...] = ()
    """Files of answers that are learnt in this phase in place of the training's, and no clips but those that they tell
    of: as the main subject of easy clips first."""
    frames: FramesConfig | None = None
    """What the model sees in this phase, as small pictures first; none for what the training's own `frames` says."""

    @model_validator(mode="after")
    def _has_kinds(self) -> Self:
        if not self.kinds or min(self.kinds.values()) <= 0:
            raise ValueError("kinds must name at least one kind of caption, each with a weight above 0")
        return self


class LoraConfig(Config):
    """Small matrices that are trained in place of the weights.

    Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".
    """

    rank: int = Field(16, ge=1)
    """Of each pair of matrices."""
    alpha: int = Field(32, ge=1)
    """Their product is multiplied by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Ends of the names of the layers that get them."""


class FinetuneConfig(Config):
    """How a captioner is trained."""

    model: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """The folder of the model to start from; none for a new one of the shape of `start`."""
    start: RandomStartConfig = RandomStartConfig()
    """Of a new model."""
    answers: tuple[str, ...] = ()
    """Files of what is to be answered (see captioner/finetune/answers.py); none for the dataset's own captions."""
    caption_set: str | None = None
    """Which of the dataset's caption sets is learnt where `answers` is not set; all of them by default."""
    frames: FramesConfig = FramesConfig()
    """What the model sees of a clip; the same as the config of the run that captions with it."""
    phases: tuple[PhaseConfig, ...] = (
        PhaseConfig(prompt="short", kinds={CaptionKind.short: 1.0}, steps=1000),
        PhaseConfig(prompt="structured", kinds={CaptionKind.structured: 1.0}, steps=4000),
    )
    """One after the other. Source: Betker et al. 2023 (DALL-E 3), section 2.1: short captions of the main subject
    first, then long descriptive ones."""
    lora: LoraConfig | None = None
    """Without it all weights are trained."""
    freeze_vision: bool = False
    """Whether the tower that sees is left as it is."""
    batch_size: int = Field(32, ge=1)
    """Clips a step, over all ranks."""
    micro_batch_size: int = Field(32, ge=1, json_schema_extra=_NO_EFFECT)
    """Most clips that go through the model of one rank at once."""
    learning_rate: float = Field(1e-5, gt=0)
    """The highest: reached after the warm-up, held, and let down to 0 at the end."""
    warmup_steps: int = Field(50, ge=0)
    """Over which the rate rises."""
    decay_ratio: float = Field(0.2, ge=0, le=1)
    """Share of the steps over which the rate falls. Source: Hu et al. 2024 (MiniCPM), section 4: warm-up, stable,
    decay; up to the fall a training can be prolonged."""
    weight_decay: float = Field(0.05, ge=0)
    """Of matrices; other weights have none."""
    max_gradient: float = Field(1.0, gt=0)
    """Norm to which gradients are cut."""
    zero_stage: Literal[1, 2] = Field(1, json_schema_extra=_NO_EFFECT)
    """Of DeepSpeed's ZeRO: what ranks share out, optimizer states (1) and gradients too (2)."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """In which the model runs."""
    saved_as: Literal["float32", "bfloat16", "float16"] | None = Field(None, json_schema_extra=_NO_EFFECT)
    """The number format of the model's files; none for that in which it runs."""
    held_out_ratio: float = Field(0.02, ge=0, lt=1)
    """Of the videos, kept back for evaluation."""
    evaluate_steps: int = Field(250, ge=1)
    """Steps between two measurements of the loss on what is kept back."""
    patience: int = Field(0, ge=0)
    """Measurements without a better one after which a phase ends; 0 for never."""
    checkpoint_steps: int = Field(100, ge=1, json_schema_extra=_NO_EFFECT)
    """A checkpoint is written each time so many steps are done."""
    readers: int = Field(2, ge=1, json_schema_extra=_NO_EFFECT)
    """Decoders of a rank that prepare clips while the model learns."""
    threads: int | None = Field(None, ge=1, json_schema_extra=_NO_EFFECT)
    """Of torch, on a CPU; none for all cores."""
    seed: int = Field(0, ge=0)
    """Of new weights, of the order of clips, and of the kind of caption drawn."""

    @property
    def num_steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)

    @model_validator(mode="after")
    def _has_phases(self) -> Self:
        if not self.phases:
            raise ValueError("phases is empty: there is nothing to train")
        return self
