"""CLIP models: load any that open_clip knows, safely; embed pictures and texts; train a small one."""

from pipeline.clip.model import ClipModel, load_clip
from pipeline.clip.source import ClipConfig, ClipSource, find_clip

__all__ = ["ClipConfig", "ClipModel", "ClipSource", "find_clip", "load_clip"]
