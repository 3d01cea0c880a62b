"""The config of `rushes evaluate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas import Config
from trainer.sampling import SamplingConfig


class SizeGroup(StrEnum):
    """What a model knows of a size."""

    trained = "trained"
    between = "between"
    """Never seen; lies between those that were."""
    larger = "larger"
    """Never seen; larger than all that were."""


class SizesConfig(Config):
    """Width and height in pixels, of each group in turn."""

    trained: tuple[tuple[int, int], ...] = ((256, 144), (144, 256), (208, 156), (160, 160), (156, 208))
    between: tuple[tuple[int, int], ...] = ((232, 160), (176, 208))
    larger: tuple[tuple[int, int], ...] = ((384, 216), (240, 240))

    @model_validator(mode="after")
    def _are_sizes(self) -> Self:
        places = [size for group in SizeGroup for size in getattr(self, group)]
        for size in places:
            if min(size) < 64 or max(size) > 4096 or size[0] % 2 or size[1] % 2:
                raise ValueError(f"sizes have even sides of 64 to 4096 pixels, got {list(size)}")
        if not places:
            raise ValueError("there is no size")
        return self


class ModesConfig(Config):
    """How the ways of sampling are measured."""

    num: int = Field(8, ge=1)
    """Videos of each."""
    size: tuple[int, int] = (256, 144)
    """Width and height in pixels."""
    num_given: int = Field(9, ge=2)
    """Frames of a clip that is extended or connected."""
    num_made: int = Field(12, ge=2)
    """Frames that are added to it."""
    num_whole: int = Field(13, ge=4)
    """Frames of a video made from a picture, of a loop, and of an edit."""
    strength: float = Field(0.7, gt=0, le=1)
    """Of an edit."""
    num_backward: int = Field(4, ge=2)
    """Seeds of the extensions that must end in the same frames."""
    long_seconds: float = Field(20.0, gt=0)
    """Of the video whose colours must not drift."""


class EvaluateConfig(Config):
    """What is judged, and on what."""

    sampling: SamplingConfig
    """The model, and how it is asked."""
    out: Path = Path("out/evaluate")
    """Videos, verdicts and pages go there; what is there already is not made again."""
    num_prompts: int = Field(200, ge=1, le=100_000)
    sizes: SizesConfig = SizesConfig()
    num_frames: tuple[int, ...] = (9, 15, 21)
    """Lengths, in turn."""
    scenes: Literal["all", "single"] = "all"
    """`single`: one object of some size before a camera at rest; nothing is staged then."""
    split: Literal["held_out", "train", "any"] = "held_out"
    """`held_out`: the subjects are combinations that training footage never shows."""
    is_staged: bool = True
    """Whether some films are staged: two moves in order, a subject that returns, one behind a post, one bitten."""
    staged_seconds: float = Field(1.5, gt=0)
    """Staged films are at least so long."""
    seed: int = Field(90_001, ge=0)
    """Of scenes and noise; other films are drawn from other ones."""
    num_shuffles: int = Field(8, ge=1)
    """Wrong prompts against which each video is held, for the floor."""
    batch: int = Field(16, ge=1, json_schema_extra={"affects_output": False})
    """Videos that are asked of the sampler together."""
    workers: int = Field(2, ge=1, json_schema_extra={"affects_output": False})
    """Processes that judge."""
    modes: ModesConfig = ModesConfig()
    clip: str | None = None
    """A CLIP model (as `embedding.weights`), for the CLIP score; none without it."""

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        if not self.num_frames or min(self.num_frames) < 4:
            raise ValueError(f"num_frames holds lengths of at least 4 frames, got {list(self.num_frames)}")
        return self

    @property
    def places(self) -> list[tuple[SizeGroup, tuple[int, int]]]:
        """Every size with its group."""
        return [(group, size) for group in SizeGroup for size in getattr(self.sizes, group)]
