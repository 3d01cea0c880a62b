from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.packing.best_fit import best_fit, packs_in_order

SIZES = st.lists(st.integers(1, 100), max_size=200).map(lambda sizes: np.array(sizes, np.int64))


@given(SIZES)
def test_each_sample_is_in_exactly_one_pack_and_no_pack_is_over_full(sizes: np.ndarray) -> None:
    packs = best_fit(sizes, 100)
    assert sorted(chain.from_iterable(packs)) == list(range(len(sizes)))
    assert all(sizes[pack].sum() <= 100 for pack in packs)


@given(SIZES, st.integers(0, 50))
def test_a_buffer_loses_nothing(sizes: np.ndarray, buffer: int) -> None:
    packs = list(packs_in_order(sizes, 100, buffer))
    assert sorted(chain.from_iterable(packs)) == list(range(len(sizes)))
    assert all(sizes[pack].sum() <= 100 for pack in packs)


def test_the_room_that_fits_best_is_taken() -> None:
    # 50 leaves 10 beside 40, and 40 beside 60 left nothing: best fit needs two packs where first fit needs three.
    assert len(best_fit(np.array([60, 50, 40, 50]), 100)) == 2


def test_a_pack_that_is_not_full_waits_for_the_next_buffer() -> None:
    sizes = np.array([90, 90, 10, 10])
    packs = [sorted(pack) for pack in packs_in_order(sizes, 100, 2)]
    assert len(packs) == 2
    assert all(sizes[pack].sum() == 100 for pack in packs)


def test_a_sample_larger_than_a_pack_is_refused() -> None:
    with pytest.raises(ValueError, match="101 does not fit into 100"):
        best_fit(np.array([5, 101]), 100)
