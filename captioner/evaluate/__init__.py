"""How good a captioner is: against what is known of clips, against references, and by a judge."""

from __future__ import annotations

from captioner.evaluate.asked import captions_of
from captioner.evaluate.config import EvaluateConfig, RivalConfig
from captioner.evaluate.facts import FactScore, fact_scores
from captioner.evaluate.judge import judged
from captioner.evaluate.references import reference_scores

__all__ = ["EvaluateConfig", "FactScore", "RivalConfig", "captions_of", "fact_scores", "judged", "reference_scores"]
