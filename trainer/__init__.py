"""Captioned clips in, a diffusion transformer out: encoders, latents, packing, model, loop, sampler.

From `pipeline` it takes only `media`, `manifest` and `shards`; it never imports `captioner`.
"""

from __future__ import annotations

__all__: list[str] = []
