"""The miniature world: footage with exact truth, drawn from a seed, and the scoring of what is found in it."""

from __future__ import annotations

__all__: list[str] = []
