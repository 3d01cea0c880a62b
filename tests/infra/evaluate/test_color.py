from __future__ import annotations

import numpy as np
import pytest

from infra.demo.render import DAY, NIGHT
from infra.demo.vocabulary import BRIGHTNESS, COLORS
from infra.evaluate.color import NAMES, angles


@pytest.mark.parametrize("color", COLORS)
def test_a_colour_is_named_in_any_light(color: str) -> None:
    for tint in (DAY, NIGHT):
        for gain in BRIGHTNESS.values():
            face = np.minimum(np.array(COLORS[color]) * tint * gain, 255)
            assert NAMES[int(angles(face).argmin())] == color, (tint, gain)


def test_grey_is_near_white_alone() -> None:
    away = angles([[120, 120, 120]])[0]
    assert NAMES[int(away.argmin())] == "white"
    assert np.sort(away)[1] > 10
