import pytest

from captioner.evaluate.facts import fact_scores

FACTS = {
    "a": {"motion": ("moves up",), "colour": ("red", "blue")},
    "b": {"motion": ("moves up-left",), "colour": ("green",)},
}


def scores(**texts: str) -> dict[str, float]:
    return {score.attribute: score.accuracy for score in fact_scores(FACTS, texts)}


def test_right_captions_score_one() -> None:
    assert scores(a="Red and blue: it moves up.", b="GREEN, moves  up-left") == {"colour": 1.0, "motion": 1.0}


def test_half_a_phrase_is_none() -> None:
    assert scores(a="Red and blue, moves up-left", b="green, moves up-left")["motion"] == pytest.approx(1 / 3)


def test_naming_all_there_is_gains_nothing() -> None:
    everything = "red blue green moves up, moves up-left"
    assert scores(a=everything, b=everything) == {"colour": 0.5, "motion": 0.5}


def test_a_clip_without_a_caption_has_everything_missing() -> None:
    assert scores(a="red, blue, moves up") == {"colour": pytest.approx(2 / 3), "motion": 0.5}


def test_a_word_inside_a_word_is_none() -> None:
    (score,) = fact_scores({"a": {"colour": ("red",)}}, {"a": "hundred"})
    assert (score.num_right, score.num_missing, score.num_wrong) == (0, 1, 0)
