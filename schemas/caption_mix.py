"""Which caption of a clip a training step reads: synthetic or original, dense or short, or none."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field

from schemas.caption import CaptionKind
from schemas.config import Config


class CaptionMixConfig(Config):
    """Shares of the kinds of captions."""

    synthetic_ratio: float = Field(0.95, ge=0, le=1)
    """Of clips that have both, how often the captioner's is read and not the one that came with the footage. Source:
    Betker et al. 2023 (DALL-E 3), section 3: 95 % did best."""
    dense_ratio: float = Field(0.9, ge=0, le=1)
    """Of the captioner's, how often the dense one is read and not the short one."""
    dropout_ratio: float = Field(0.1, ge=0, le=1)
    """How often no text is read, for guidance without a prompt."""


def pick_caption_kind(
    kinds: Collection[str], config: CaptionMixConfig, draws: tuple[float, float, float]
) -> CaptionKind | None:
    """The kind of caption to read of a clip; None for no text. Kinds made for other ends are never read.

    Args:
        kinds: Those that the clip has.
        config: The shares.
        draws: Even numbers in [0, 1) for whether, from which source and at what length.
    """
    dropped, source, length = draws
    if dropped < config.dropout_ratio:
        return None
    made = [kind for kind in (CaptionKind.dense, CaptionKind.short) if kind in kinds]
    has_own = CaptionKind.original in kinds
    if made and (not has_own or source < config.synthetic_ratio):
        return made[0] if length < config.dense_ratio else made[-1]
    return CaptionKind.original if has_own else None
