"""The bench of perceptual duplicates, on a few clips written in more than one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.bench import dedup


def test_copies_that_were_planted_are_found_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "_BLOCK", 150)
    figures = {figure.name: figure for figure in dedup.measure(tmp_path, 300)}
    assert figures["300 fingerprints: planted copies found"].value >= 0.9
    assert figures["300 fingerprints: planted copies found"].note == "of 30"
    assert figures["300 fingerprints: dropped without being planted"].value == 0
    assert all(figure.reached is not False for figure in figures.values())
