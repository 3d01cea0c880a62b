"""Two of the kill points; `make stress` has the others."""

from __future__ import annotations

import pytest

from infra.bench.compare import tables_of
from infra.bench.footage import drawn_videos
from infra.bench.interrupt import Setting, Victim, kill_and_resume


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Setting, float]:
    """A dataset called `undisturbed`, and how long it took to make, in seconds."""
    scratch = tmp_path_factory.mktemp("interrupt")
    drawn_videos(scratch / "films", 30, num_frames=240, width=640, height=360)
    setting = Setting(scratch=scratch, inputs=[str(scratch / "films")])
    return setting, setting.finish("undisturbed")


@pytest.mark.parametrize("victim", [Victim.decoder, Victim.driver])
def test_a_killed_run_and_the_same_command_again_give_what_an_undisturbed_run_gives(
    undisturbed: tuple[Setting, float], victim: Victim
) -> None:
    setting, whole_s = undisturbed
    outcome = kill_and_resume(setting, "undisturbed", victim.name, victim, after_s=0.7 * whole_s)
    assert outcome.killed_s is not None, "the run was over before the kill"
    assert outcome.status == (-9 if victim is Victim.driver else 0)
    assert outcome.differences == []
    assert outcome.gone_s is not None
    assert len(tables_of(setting.dataset(victim.name))["clips"]) >= 30
