"""The sections of a run's config that belong to scorers, and the scorers that they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pipeline.scorers import aesthetic, alignment, embedding, faces, safety, watermark
from pipeline.scorers.aesthetic import Aesthetic, AestheticConfig
from pipeline.scorers.alignment import Alignment, AlignmentConfig
from pipeline.scorers.embedding import Embedding, EmbeddingConfig
from pipeline.scorers.faces import Faces, FacesConfig
from pipeline.scorers.safety import Safety, SafetyConfig
from pipeline.scorers.scorer import Scorer
from pipeline.scorers.text_area import TextArea, TextAreaConfig
from pipeline.scorers.watermark import Watermark, WatermarkConfig
from schemas import Config


@dataclass(frozen=True, slots=True)
class Choice:
    """A scorer as a run's config asks for it."""

    scorer: Scorer
    config: Config
    missing: str = ""
    """What must be configured first; empty where nothing is."""


ScorerName = Literal["text_area", "embedding", "aesthetic", "safety", "watermark", "faces", "alignment"]


class ScorersConfig(Config):
    """A section for each scorer."""

    leave_out: tuple[ScorerName, ...] = ()
    """Scorers that do not run. A rule that asks one of them keeps `select` from being done."""
    text_area: TextAreaConfig = TextAreaConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    aesthetic: AestheticConfig = AestheticConfig()
    safety: SafetyConfig = SafetyConfig()
    watermark: WatermarkConfig = WatermarkConfig()
    faces: FacesConfig = FacesConfig()
    alignment: AlignmentConfig = AlignmentConfig()

    def choices(self) -> list[Choice]:
        """Every scorer, in the order in which they run."""
        return [
            replace(choice, missing="left out by leave_out") if choice.scorer.name in self.leave_out else choice
            for choice in self._all()
        ]

    def _all(self) -> list[Choice]:
        model = self.embedding
        return [
            Choice(TextArea(self.text_area), self.text_area),
            Choice(Embedding(model), model, embedding.missing(model)),
            Choice(Aesthetic(self.aesthetic, model), self.aesthetic, aesthetic.missing(self.aesthetic, model)),
            Choice(Safety(self.safety, model), self.safety, safety.missing(self.safety, model)),
            Choice(Watermark(self.watermark), self.watermark, watermark.missing(self.watermark, model)),
            Choice(Faces(self.faces), self.faces, faces.missing(self.faces)),
            Choice(Alignment(self.alignment, model), self.alignment, alignment.missing(model)),
        ]
