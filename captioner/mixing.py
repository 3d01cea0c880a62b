"""Which caption of a clip a training step reads: synthetic or original, dense or short, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from schemas import Config, digest
from schemas.caption import CaptionKind


class CaptionMixConfig(Config):
    """Shares of the kinds of captions."""

    synthetic_ratio: float = Field(0.95, ge=0, le=1)
    """Of clips that have both, how often the captioner's is read and not the one that came with the footage. Source:
    Betker et al. 2023 (DALL-E 3), section 3: 95 % did best."""
    dense_ratio: float = Field(0.9, ge=0, le=1)
    """Of the captioner's, how often the dense one is read and not the short one."""
    dropout_ratio: float = Field(0.1, ge=0, le=1)
    """How often no text is read, for guidance without a prompt."""
    seed: int = Field(0, ge=0)


def pick_caption(
    captions: Mapping[CaptionKind, Sequence[str]], config: CaptionMixConfig, clip_id: str, step: int
) -> str:
    """The text for one clip at one step; empty for none.

    It depends on nothing but the arguments, so that a run that is stopped and started again reads the same.

    Args:
        captions: Those that succeeded, by kind; of one kind there may be several, of several caption sets.
        config: The shares.
        clip_id: Which clip.
        step: Which step.
    """
    dropped, source, length, place = _draws(config.seed, clip_id, step)
    if dropped < config.dropout_ratio:
        return ""
    made = [kind for kind in (CaptionKind.dense, CaptionKind.short) if captions.get(kind)]
    own = captions.get(CaptionKind.original, ())
    if made and (not own or source < config.synthetic_ratio):
        wants_dense = length < config.dense_ratio
        kind = made[0] if wants_dense else made[-1]
        texts = captions[kind]
    else:
        texts = own
    return texts[int(place * len(texts))] if texts else ""


def _draws(seed: int, clip_id: str, step: int) -> tuple[float, float, float, float]:
    """Four numbers, each evenly in [0, 1)."""
    bits = digest([seed, clip_id, step])
    first, second, third, fourth = (int(bits[k : k + 8], 16) / 2**32 for k in (0, 8, 16, 24))
    return first, second, third, fourth
