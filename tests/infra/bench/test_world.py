from __future__ import annotations

import pytest

from infra.bench.world import is_mixed
from infra.demo.truth import Cut

CUTS = [Cut.hard(100), Cut.gradual("dissolve", 200, 220), Cut.gradual("fade", 300, 320, optional=True)]


@pytest.mark.parametrize(
    ("start", "end", "mixed"),
    [
        pytest.param(50, 102, False, id="two frames of the next shot are within the tolerance"),
        pytest.param(50, 103, True, id="three frames of the next shot"),
        pytest.param(98, 150, False, id="two frames of the shot before"),
        pytest.param(97, 150, True, id="three frames of the shot before"),
        pytest.param(110, 202, False, id="two frames of a dissolve"),
        pytest.param(110, 203, True, id="three frames of a dissolve"),
        pytest.param(205, 215, True, id="all of it in a dissolve"),
        pytest.param(218, 330, False, id="an optional fade is no leak"),
    ],
)
def test_a_clip_is_mixed_where_it_reaches_beyond_the_tolerance(start: int, end: int, mixed: bool) -> None:
    assert is_mixed(CUTS, start, end) is mixed
