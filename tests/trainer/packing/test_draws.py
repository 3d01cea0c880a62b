from __future__ import annotations

import numpy as np
import pytest

from schemas import digest
from trainer.packing.draws import bits, hashes_of, uniforms

IDS = [digest(["clip", k]) for k in range(20_000)]


def test_draws_are_even_and_of_different_purposes_unrelated() -> None:
    hashes = hashes_of(IDS)
    one, other = uniforms(hashes, 0, 1, "time"), uniforms(hashes, 0, 2, "time")
    assert np.histogram(one, 10, (0, 1))[0] == pytest.approx(2000, abs=200)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    assert one.min() >= 0
    assert one.max() < 1


def test_a_draw_does_not_depend_on_what_else_there_is() -> None:
    assert bits(hashes_of(IDS), 7, "a")[123] == bits(hashes_of(IDS[123:124]), 7, "a")[0]


def test_neighbouring_numbers_draw_unrelated_bits() -> None:
    drawn = uniforms(np.arange(20_000, dtype=np.uint64), "steps")
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.03


def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 hexadecimal digits"):
        hashes_of(["abc"])
