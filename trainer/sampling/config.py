"""The config of `rushes sample`: which model, and how it is asked."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from schemas import Config
from trainer.autoencoder.config import AutoencoderConfig
from trainer.text_encoder import TextEncoderConfig
from trainer.times import ShiftConfig

_BROADCAST = 5e-4
"""Frames a second by which people round the rates of television."""
_NO_EFFECT: JsonDict = {"affects_output": False}


class SolverConfig(Config):
    """How one goes from noise to a clean latent."""

    kind: Literal["euler", "heun", "dpm++"] = "euler"
    """`euler`: one look at the model a step. `heun`: two, and so better at half the steps. `dpm++`: one, and the one of
    the step before, which is better at few steps."""
    steps: int = Field(50, ge=1, le=1000)
    """From noise to a clean latent; an edit takes as many for its shorter way."""
    shift: ShiftConfig | None = None
    """How much of the way larger clips spend in the noise; as the model was trained without it."""


class GuidanceConfig(Config):
    """How much more the prompt counts than the model by itself would let it count.

    Source: Ho and Salimans 2022, "Classifier-free diffusion guidance".
    """

    text: float = Field(6.0, ge=0, le=100, allow_inf_nan=False)
    """1 for the model as it is, which also halves the work."""
    image: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)
    """How much more given pictures and clips count; 1 for the model as it is. Else it is asked a third time, without
    what is given. Source: Brooks et al. 2023, "InstructPix2Pix: learning to follow image editing instructions",
    equation 3."""
    interval: tuple[float, float] = (0.0, 1.0)
    """Times on the path, 1 pure noise, between which it is used. Source: Kynkäänniemi et al. 2024, "Applying guidance
    in a limited interval improves sample and distribution quality in diffusion models"."""
    rescale: float = Field(0.0, ge=0, le=1, allow_inf_nan=False)
    """Share of the unguided prediction's deviation that is given back, against glaring colours. Source: Lin et al.
    2023, "Common diffusion noise schedules and sample steps are flawed", section 3.4."""

    @model_validator(mode="after")
    def _is_interval(self) -> Self:
        low, high = self.interval
        if not 0 <= low < high <= 1:
            raise ValueError(f"interval is two rising times in [0, 1], got {list(self.interval)}")
        return self


class DraftConfig(Config):
    """How a small draft becomes the full size."""

    scale: float = Field(0.5, gt=0, lt=1)
    """Sides of the draft over those of the full size."""
    strength: float = Field(0.7, gt=0, le=1)
    """How far back into the noise the enlarged draft is taken."""


class SignerConfig(Config):
    """Who signs the outputs."""

    certificate: str
    """A PEM file: the signer's certificate, and after it those that lead to the one which others trust."""
    key: str
    """A PEM file: its private key."""
    algorithm: Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"] = "es256"
    """Which must go with the key."""


class ProvenanceConfig(Config):
    """What every output says of where it comes from."""

    watermark: bool = True
    """Whether an invisible mark is put into the pixels."""
    watermark_key: str = Field("rushes", min_length=1)
    """Whose mark: one that only you know cannot be looked for, or well taken out, by others."""
    signer: SignerConfig | None = Field(None, json_schema_extra=_NO_EFFECT)
    """Without it a certificate is made for the run, which nobody has a reason to trust."""


class SamplingConfig(Config):
    """Which model makes videos, and how."""

    model: str = Field(json_schema_extra=_NO_EFFECT)
    """The folder of a run, or of an exported model (`RUN/model`)."""
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    """The one that made the latents on which the model was trained."""
    text_encoder: TextEncoderConfig = TextEncoderConfig()
    """The one that made the texts."""
    size: tuple[int, int] = (512, 512)
    """Width and height in pixels where none is asked for and no clip is given."""
    seconds: float = Field(4.0, gt=0, allow_inf_nan=False)
    """Of a video where none are asked for."""
    frame_rate: float = Field(24.0, gt=0, le=240, allow_inf_nan=False)
    """Frames a second."""
    min_side: int = Field(16, ge=1)
    """Sizes with a shorter side are refused, in pixels."""
    max_side: int = Field(4096, ge=1)
    """Sizes with a longer side are refused, in pixels."""
    max_seconds: float = Field(60.0, gt=0, allow_inf_nan=False)
    """Longer videos are refused."""
    max_prompt_bytes: int = Field(16_384, ge=1)
    """Longer prompts are refused."""
    window_s: float = Field(10.0, gt=0, allow_inf_nan=False)
    """The longest stretch that the model makes at once: what it was trained for. Longer videos are made piece by piece,
    each from the end of the one before."""
    context_s: float = Field(1.0, ge=0, allow_inf_nan=False)
    """How much of a given clip the model sees where it goes on from there, or leads up to it."""
    loop_s: float = Field(1.0, gt=0, allow_inf_nan=False)
    """The passage that closes a loop, where latent time cannot wrap."""
    fit: Literal["crop", "fit"] = "crop"
    """A given picture or video of another aspect: `crop` fills the size and cuts off what is too much, `fit` shows all
    of it between black bars."""
    strength: float = Field(0.6, gt=0, le=1)
    """Of an edit, where none is asked for: how far back into the noise a given clip is taken."""
    solver: SolverConfig = SolverConfig()
    guidance: GuidanceConfig = GuidanceConfig()
    draft: DraftConfig = DraftConfig()
    provenance: ProvenanceConfig = ProvenanceConfig()
    crf: int = Field(17, ge=0, le=51)
    """Of H.264: less is finer and larger."""
    device: Literal["auto", "cpu", "cuda"] = Field("auto", json_schema_extra=_NO_EFFECT)
    """Where it computes; `auto` takes a GPU where there is one."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """In which the transformer computes."""
    pack_tokens: int = Field(32_768, ge=1)
    """Videos of any sizes are made together up to so many tokens; a larger one alone."""
    memory_gib: float | None = Field(None, gt=0, json_schema_extra=_NO_EFFECT)
    """Sizes that need more are refused; what the device has free without it."""
    threads: int | None = Field(None, ge=1, json_schema_extra=_NO_EFFECT)
    """Threads of torch; its own choice without it."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.min_side > self.max_side:
            raise ValueError(f"min_side {self.min_side} is more than max_side {self.max_side}")
        if self.context_s * 2 >= self.window_s:
            raise ValueError(f"context_s must be under half of window_s, {self.window_s:g} s, got {self.context_s:g}")
        return self

    @property
    def rate(self) -> Fraction:
        """Frames a second, as a fraction that a container can hold; 23.976 is 24000/1001."""
        broadcast = Fraction(round(self.frame_rate * 1.001) * 1000, 1001)
        if abs(broadcast - self.frame_rate) < _BROADCAST:
            return broadcast
        return Fraction(self.frame_rate).limit_denominator(1001)

    def frames(self, seconds: float) -> int:
        """Frames of so many seconds, at least one."""
        return max(1, math.floor(seconds * self.rate + Fraction(1, 2)))
