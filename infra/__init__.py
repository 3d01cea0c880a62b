"""The composition root: the `rushes` command, recipes, the miniature world, launch files, benchmarks."""

from __future__ import annotations

__all__: list[str] = []
