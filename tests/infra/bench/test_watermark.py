"""The watermark's bench, on a folder of one film."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.bench.watermark import measure
from infra.demo.tiny import tiny_film


# Ten seconds; mark and detector have their own tests. `make stress` runs it.
@pytest.mark.stress
def test_it_tells_the_curve_the_false_alarms_and_what_the_mark_costs(tmp_path: Path) -> None:
    footage = tmp_path / "footage"
    footage.mkdir()
    tiny_film(footage / "film.mp4", num_frames=24, cuts=(), size=(96, 64), fps=24)
    (footage / "notes.txt").write_text("no video")
    figures = {
        one.name: one for one in measure(footage, tmp_path / "cache", sides=(64, 256), most_files=2, num_films=0)
    }
    assert figures["watermark found, footage, 64 px: a second, CRF 28, half the size"].at_least is None
    found = figures["watermark found, footage, 256 px: a second, CRF 28, half the size"]
    assert (found.value, found.at_least, found.note) == (1.0, 0.98, "1 of 1")
    assert figures["unmarked clips that were looked at"].value == 1
    assert figures["unmarked clips taken for marked ones"].value == 0
    assert figures["the same, lowest clip"].reached
