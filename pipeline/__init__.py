"""Footage in, curated clips out: the graph, its executors, the stages, the ledger, the manifest."""

from __future__ import annotations

__all__: list[str] = []
