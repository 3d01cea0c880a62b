"""Footage in, curated clips out: the graph, its executors, the stages, the ledger, the manifest."""

from __future__ import annotations

import os

__all__: list[str] = []

# For the allocator inside delta-rs, which reads it once, when it is loaded: by itself it keeps what it has freed, some
# 300 KB for each commit of a long run.
os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:100,muzzy_decay_ms:0")
