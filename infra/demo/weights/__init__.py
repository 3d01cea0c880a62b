"""Small models of the miniature world: used by its demo, and elsewhere only where a config names them."""

from __future__ import annotations

from pathlib import Path

CLIP_WEIGHTS = Path(__file__).parent / "clip" / "weights.safetensors"
"""A CLIP of about 2 M parameters; its description and its vocabulary lie beside it."""
