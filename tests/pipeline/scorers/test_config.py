from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.scorers.config import ScorersConfig


def test_a_scorer_that_is_left_out_lacks_that_and_nothing_else() -> None:
    found = {choice.scorer.name: choice.missing for choice in ScorersConfig(leave_out=("faces",)).choices()}
    assert found["faces"] == "left out by leave_out"
    assert found["text_area"] == ""
    assert list(found) == [choice.scorer.name for choice in ScorersConfig().choices()]


def test_every_scorer_can_be_left_out_and_no_other_name() -> None:
    names = tuple(choice.scorer.name for choice in ScorersConfig().choices())
    assert all(choice.missing for choice in ScorersConfig.model_validate({"leave_out": names}).choices())
    with pytest.raises(ValidationError, match="leave_out"):
        ScorersConfig.model_validate({"leave_out": ["face"]})
