"""Scorers: numbers about a clip from its preview pictures, its embedding or its caption."""

from pipeline.scorers.scorer import ClipView, Picture, Scorer

__all__ = ["ClipView", "Picture", "Scorer"]
