"""Clips in, captions out: frames and prompts, caption engines, checks, and training of the captioner.

From `pipeline` it takes only `media`, `manifest` and `shards`; it never imports `trainer`. Still empty.
"""

from __future__ import annotations

__all__: list[str] = []
