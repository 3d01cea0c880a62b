from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.scan.assemble import ScanOutcome
from pipeline.scan.reply import pack, unpack
from schemas import ErrorKind, MediaError

OUTCOME = ScanOutcome(
    rows={"clips": [{"clip_id": "a"}], "fingerprints": [{"clip_id": "a", "picture": b"\0\xff", "changes": b""}]},
    counts={"num_frames": 3},
    previews=[("a.0.jpg", b"jpeg"), ("a.1.jpg", b"other")],
)


def test_an_outcome_comes_through_as_it_was() -> None:
    header, blobs = pack(OUTCOME)
    assert unpack(json.loads(json.dumps(header)), [memoryview(blob) for blob in blobs]) == OUTCOME


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"rows": None}, id="no rows"),
        pytest.param({"previews": ["one"]}, id="a picture without a name"),
        pytest.param({"binary": [["clips", 7, "x"], ["clips", 0, "x"]]}, id="a row that is not there"),
        pytest.param({"binary": [["none", 0, "x"], ["clips", 0, "x"]]}, id="a table that is not there"),
        pytest.param({"binary": [1, 2]}, id="places that are none"),
    ],
)
def test_an_answer_that_makes_no_sense_is_the_decoders_fault(wrong: dict[str, Any]) -> None:
    header, blobs = pack(OUTCOME)
    with pytest.raises(MediaError) as raised:
        unpack({**header, **wrong}, blobs)
    assert raised.value.kind is ErrorKind.decoder_crash
