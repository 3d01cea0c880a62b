from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Span, clip_id, content_id, digest


@given(data=st.binary(max_size=200), cut=st.integers(0, 200))
def test_a_content_id_does_not_depend_on_how_the_bytes_arrive(data: bytes, cut: int) -> None:
    assert content_id([data]) == content_id([data[:cut], data[cut:]])


@given(one=st.binary(max_size=50), other=st.binary(max_size=50))
def test_content_ids_differ_exactly_where_contents_do(one: bytes, other: bytes) -> None:
    assert (content_id([one]) == content_id([other])) == (one == other)


def test_ids_are_fit_to_be_shard_keys() -> None:
    span = Span(0, 10, Fraction(1, 25))
    assert re.fullmatch(r"[0-9a-z_-]+", clip_id("ab" * 16, span))


def test_a_clip_id_depends_on_video_span_and_time_base() -> None:
    span = Span(0, 10, Fraction(1, 25))
    others = [
        clip_id("v", Span(1, 10, Fraction(1, 25))),
        clip_id("v", Span(0, 11, Fraction(1, 25))),
        clip_id("v", Span(0, 10, Fraction(1, 50))),
        clip_id("w", span),
    ]
    assert len({clip_id("v", span), *others}) == 5


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2, None]}) == digest({"b": [2, None], "a": 1})


def test_a_digest_of_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest([float("nan")])
