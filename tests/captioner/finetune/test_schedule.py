import pytest

from captioner.finetune.schedule import learning_rate


def rate(step: int, **over: float) -> float:
    given = {"peak": 2.0, "warmup_steps": 4, "num_steps": 100, "decay_ratio": 0.2, **over}
    return learning_rate(step, **given)  # type: ignore[arg-type]


def test_it_rises_stays_and_falls() -> None:
    assert [rate(step) for step in (0, 3, 4, 79, 80, 90, 99)] == pytest.approx([0.5, 2, 2, 2, 2, 1, 0.1])


def test_a_longer_training_is_the_same_up_to_the_fall() -> None:
    assert [rate(step) for step in range(80)] == [rate(step, num_steps=1000) for step in range(80)]


def test_without_a_fall_it_stays() -> None:
    assert rate(99, decay_ratio=0.0) == 2.0
