"""The config of an autoencoder's training run."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from schemas import Config
from trainer.autoencoder import FAMILIES

_NO_EFFECT: JsonDict = {"affects_output": False}


class VaeModelConfig(Config):
    """What is trained."""

    class_name: str = "AutoencoderKLWan"
    """A class of diffusers that we know."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Of its constructor; without those that scale latents, which are measured at the end."""
    start_from: str | None = None
    """A folder or `OWNER/MODEL/vae` of the hub to go on from, in place of random weights and of `arguments`."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.class_name not in FAMILIES:
            raise ValueError(f"class_name must be one of {', '.join(FAMILIES)}, got {self.class_name!r}")
        if self.start_from is not None and self.arguments:
            raise ValueError("start_from brings its own arguments")
        return self


class WindowConfig(Config):
    """What is seen of a clip at a time."""

    frames: int = Field(17, ge=1, le=1024)
    """At most so many, 1 modulo the stride in time; shorter clips give what they have."""
    max_pixels: int = Field(256 * 256, ge=64)
    """Of a frame, on the grid of the model's stride and at about the clip's own aspect."""
    frame_rate: float = Field(24.0, gt=0, le=1000, allow_inf_nan=False)
    """Frames a second, about: every k-th frame of the clip is taken."""
    min_zoom: float = Field(0.5, gt=0, le=1)
    """How much of the largest window is seen at the least, along a side: never so little that it would be enlarged."""


class LossConfig(Config):
    """What is made small."""

    l1: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Of the mean absolute difference, in [-1, 1]."""
    l2: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Of the mean squared difference."""
    kl: float = Field(1e-6, ge=0, allow_inf_nan=False)
    """Of the mean divergence of a latent's number from the standard normal, in nats. What a number gains is spread over
    the many pixels that it stands for, so that little of this is much."""
    perceptual: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Of the mean difference of features of VGG-16."""
    perceptual_weights: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """VGG-16 as torchvision stores it, as .safetensors: `features.0.weight`, …"""

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        if self.perceptual and self.perceptual_weights is None:
            raise ValueError("perceptual needs perceptual_weights")
        if not self.l1 and not self.l2:
            raise ValueError("one of l1 and l2 must be above 0, or nothing ties a clip to itself")
        return self


class VaeTrainConfig(Config):
    """How an autoencoder is trained on clips."""

    model: VaeModelConfig = VaeModelConfig()
    window: WindowConfig = WindowConfig()
    loss: LossConfig = LossConfig()
    steps: int = Field(10_000, ge=1)
    """Updates of the weights."""
    batch_clips: int = Field(8, ge=1)
    """Clips a step; those of one shape go through the model together."""
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False)
    """The highest, after the warm-up; it falls to a tenth along a cosine."""
    warmup_steps: int = Field(100, ge=0)
    """Steps over which the rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """On matrices and kernels; biases and norms have none."""
    max_gradient: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Norm to which gradients are scaled down."""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    """Of the running mean of the weights, which is what is saved; 0 for the weights themselves."""
    held_out_share: float = Field(0.05, ge=0, lt=1)
    """Of the videos, kept back for the figures."""
    num_measured: int = Field(64, ge=1)
    """Clips over which the latents' mean and deviation, and the figures, are taken."""
    max_bad_share: float = Field(0.05, ge=0, le=1, json_schema_extra=_NO_EFFECT)
    """Clips that cannot be read are passed over; more than this share of those tried, and the run ends."""
    seed: int = Field(0, ge=0, le=2**31 - 1)
    """Of weights, order, windows and noise."""
    save_dtype: Literal["float16", "bfloat16", "float32"] = "float32"
    """Of the weights that are saved at the end."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """In which the network computes; weights, their mean and the loss stay in single precision. A processor with AMX is
    two to three times as fast in bf16, one without any bf16 of its own is slower."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it is trained."""
    threads: int = Field(1, ge=1, json_schema_extra=_NO_EFFECT)
    """Threads of torch. The same number gives the same weights."""
    readers: int = Field(2, ge=1, le=64, json_schema_extra=_NO_EFFECT)
    """Decoders that prepare clips ahead."""
    checkpoint_steps: int = Field(100, ge=1, json_schema_extra=_NO_EFFECT)
    """A checkpoint is written each time so many steps are done."""
