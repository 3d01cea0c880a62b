from __future__ import annotations

import pytest
from pydantic import ValidationError

from infra.experiment import ExperimentConfig


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"seeds": []}, "seeds must differ"),
        ({"seeds": [1, 1]}, "seeds must differ"),
        ({"factors": [4, 1]}, "factors must rise"),
        ({"factors": [0, 1]}, "factors must rise"),
        ({"base_steps": 0}, "base_steps"),
    ],
)
def test_what_cannot_be_compared_is_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ExperimentConfig.model_validate(values)
