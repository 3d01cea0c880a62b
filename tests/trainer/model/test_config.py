from __future__ import annotations

import pytest
from pydantic import ValidationError

from trainer.model.config import SIZES, ModelConfig


@pytest.mark.parametrize("name", SIZES)
def test_every_named_size_is_a_model(name: str) -> None:
    assert ModelConfig(size=name).dimensions() == SIZES[name]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"size": None, "depth": 2}, "depth, width and heads must all be given", id="no size"),
        pytest.param({"heads": 7}, "width 768 over 7 heads", id="heads do not divide"),
        pytest.param({"patch": (2, 2, 2)}, "patch must be 1 in time", id="patch in time"),
        pytest.param({"rope": {"axes": (30, 30, 30)}}, r"add up to the 64 channels", id="axes too wide"),
    ],
)
def test_what_does_not_agree_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(values)
