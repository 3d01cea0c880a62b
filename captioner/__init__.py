"""Clips in, captions out."""

from __future__ import annotations

from captioner.caption_set import caption_set
from captioner.clips import CaptionInput, caption_inputs
from captioner.config import CaptionConfig
from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest, Window
from captioner.engines import make_engine, missing
from captioner.mergers import ExtractMerger, ModelMerger
from captioner.prompt import Prompt, find_prompt
from captioner.stage import CaptionClips
from captioner.video_captions import CaptionVideos
from captioner.video_parts import VideoParts, video_parts

__all__ = [
    "CaptionClips",
    "CaptionConfig",
    "CaptionEngine",
    "CaptionInput",
    "CaptionReply",
    "CaptionRequest",
    "CaptionVideos",
    "ExtractMerger",
    "ModelMerger",
    "Prompt",
    "VideoParts",
    "Window",
    "caption_inputs",
    "caption_set",
    "find_prompt",
    "make_engine",
    "missing",
    "video_parts",
]
