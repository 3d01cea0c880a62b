from __future__ import annotations

import json
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media import wire

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def reader(data: bytes, piece: int = 7) -> Callable[[memoryview], int]:
    """Hands out the bytes a few at a time, as a socket may."""
    at = 0

    def read(view: memoryview) -> int:
        nonlocal at
        part = data[at : at + min(piece, len(view))]
        view[: len(part)] = part
        at += len(part)
        return len(part)

    return read


def packed(header: dict, blobs: list[bytes] | None = None) -> bytes:
    return b"".join(bytes(piece) for piece in wire.pack(header, blobs or []))


def raw(header: bytes, magic: bytes = b"RSH1") -> bytes:
    return struct.pack("<4sI", magic, len(header)) + header


@given(
    st.dictionaries(st.text().filter(lambda name: name != "blobs"), json_values, max_size=5),
    st.lists(st.binary(max_size=100), max_size=5),
)
def test_a_message_comes_out_as_it_went_in(header: dict, blobs: list[bytes]) -> None:
    reply = wire.receive(reader(packed(header, blobs)), 1 << 20)
    assert reply.header == header
    assert [bytes(blob) for blob in reply.blobs] == blobs


def test_two_messages_in_one_stream_are_two() -> None:
    read = reader(packed({"a": 1}, [b"x"]) + packed({"b": 2}))
    assert wire.receive(read, 1000).header == {"a": 1}
    assert wire.receive(read, 1000).header == {"b": 2}


@given(st.integers(0, 60))
def test_a_message_cut_off_is_the_end_of_the_stream(length: int) -> None:
    message = packed({"a": [1, 2, 3]}, [bytes(40)])
    with pytest.raises(wire.ClosedError):
        wire.receive(reader(message[:length]), 1000)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(raw(b"{}", magic=b"\x80\x04\x95\0"), id="a pickle"),
        pytest.param(raw(b"[1]"), id="a list"),
        pytest.param(raw(b"{"), id="no JSON"),
        pytest.param(raw(b'{"blobs": [], "a": NaN}'), id="NaN"),
        pytest.param(raw(b'{"blobs": [], "a": 1e999}'), id="an infinite number"),
        pytest.param(raw(b'{"blobs": [], "a": ' + b"9" * 10_000 + b"}"), id="a number of ten thousand digits"),
        pytest.param(raw(b'{"blobs": [], "a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"), id="endless nesting"),
        pytest.param(raw(b'{"blobs": [], "a": ' + b"[" * 40 + b"]" * 40 + b"}"), id="deep nesting"),
        pytest.param(raw(b"{}"), id="no list of blobs"),
        pytest.param(raw(b'{"blobs": [-1]}'), id="a negative length"),
        pytest.param(raw(b'{"blobs": [true]}'), id="a length that is no number"),
        pytest.param(raw(b'{"blobs": [1.5]}'), id="a length that is no integer"),
        pytest.param(raw(b'{"blobs": [1000000000000]}'), id="a blob over the cap"),
        pytest.param(struct.pack("<4sI", b"RSH1", 0xFFFFFFFF), id="a header over the cap"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.receive(reader(data, piece=1 << 20), 1 << 18)


@given(st.binary(max_size=200))
def test_random_bytes_end_in_one_of_two_errors(data: bytes) -> None:
    with pytest.raises((wire.WireError, wire.ClosedError)):
        wire.receive(reader(data), 1000)


def test_the_cap_counts_header_and_blobs_together() -> None:
    message = packed({}, [bytes(50), bytes(50)])
    length = len(json.dumps({"blobs": [50, 50]})) + 100
    assert len(wire.receive(reader(message), length).blobs) == 2
    with pytest.raises(wire.WireError):
        wire.receive(reader(message), length - 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_carry_is_not_sent(value: float) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        wire.pack({"a": value})
