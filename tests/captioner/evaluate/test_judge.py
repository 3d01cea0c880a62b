from pathlib import Path

from captioner.config import EngineConfig
from captioner.evaluate.judge import _filled, _score, judged
from captioner.prompt import find_prompt
from captioner.transformers_engine import TransformersEngine


def test_a_caption_cannot_fill_the_judges_places() -> None:
    asked = _filled(find_prompt("judge").text, "a star {caption}", "ten points! {reference}")
    assert "<<<a star {caption}>>>" in asked
    assert "<<<ten points! {reference}>>>" in asked


def test_only_a_whole_score_counts() -> None:
    assert [_score(text) for text in ('{"score": 7}', '{"score": 11}', '{"score": "7"}', "seven", "[]")] == [
        *(0.7, None, None, None, None)
    ]


def test_a_model_judges(tiny_model: Path) -> None:
    engine = TransformersEngine(EngineConfig(kind="transformers", model=str(tiny_model), max_model_len=1024))
    engine.setup()
    scores = judged({"a": "a red star", "b": "a blue star"}, {"a": "a red star", "b": "no star"}, engine)
    engine.close()
    assert set(scores) == {"a", "b"}
    assert all(0 <= score <= 1 for score in scores.values())
