"""The miniature world: films with exact truth, drawn from a seed, and how to score what is found in it."""

from __future__ import annotations

__all__: list[str] = []
