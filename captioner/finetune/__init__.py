"""Supervised fine-tuning of a vision-language model on clips and their captions."""

from __future__ import annotations

from captioner.finetune.config import FinetuneConfig
from captioner.finetune.pairs import CaptionPair, caption_pairs, split
from captioner.finetune.train import finetune

__all__ = ["CaptionPair", "FinetuneConfig", "caption_pairs", "finetune", "split"]
