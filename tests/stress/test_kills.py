"""`kill -9` at a dozen random moments, then the same command again."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from infra.bench.footage import drawn_videos
from infra.bench.interrupt import Setting, Victim, disturb

pytestmark = pytest.mark.stress


@pytest.mark.parametrize(
    ("executor", "victims"),
    [
        pytest.param("local", [Victim.driver] * 3 + [Victim.decoder] * 3, id="threads"),
        pytest.param("ray", [Victim.driver] * 2 + [Victim.worker] * 2 + [Victim.decoder] * 2, id="ray"),
    ],
)
def test_whatever_is_killed_the_same_command_again_gives_what_an_undisturbed_run_gives(
    tmp_path: Path, executor: str, victims: list[Victim]
) -> None:
    films = drawn_videos(tmp_path / "films", 60, num_frames=240, width=640, height=360)
    setting = Setting(scratch=tmp_path, inputs=[str(films)], arguments=("--executor", executor))
    outcomes = disturb(setting, victims, seed=secrets.randbelow(10**6))
    assert {str(outcome) for outcome in outcomes if outcome.differences} == set()
    assert {str(outcome) for outcome in outcomes if outcome.gone_s is None} == set()
    # A decoder's last moment may be over a little earlier the next time.
    assert sum(outcome.killed_s is not None for outcome in outcomes) >= len(outcomes) - 2
