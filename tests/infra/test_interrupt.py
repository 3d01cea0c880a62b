"""Two of the kill points; `make stress` has the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.bench.compare import tables_of
from infra.bench.footage import drawn_videos
from infra.bench.interrupt import Setting, Victim, kill_and_resume
from pipeline.dataset import Dataset

_NUM_FILMS = 30
"""Some seconds of work: the first commit comes after one."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A dataset called `undisturbed`."""
    scratch = tmp_path_factory.mktemp("interrupt")
    films = drawn_videos(scratch / "films", _NUM_FILMS, num_frames=240, width=640, height=360, num_variants=3)
    # `make stress` does it to whole runs.
    arguments = ("--executor", "local", "--until", "scan")
    setting = Setting(scratch=scratch, inputs=[str(films)], arguments=arguments)
    setting.finish("undisturbed")
    return setting


@pytest.mark.parametrize("victim", [Victim.decoder, Victim.driver])
def test_a_killed_run_and_the_same_command_again_give_what_an_undisturbed_run_gives(
    undisturbed: Setting, victim: Victim
) -> None:
    dataset = undisturbed.dataset(victim.name)
    clips = Path(dataset, "manifest", "clips", "_delta_log")

    def is_time() -> bool:
        """Whether the first films count as done: rows are committed first, the ledger last.

        A driver is killed no sooner; a decoder may be gone by then.
        """
        if victim is Victim.decoder:
            return True
        if not clips.exists():
            return False
        try:
            return "scan" in Dataset(dataset).manifest.read("ledger", ["stage"])["stage"].to_pylist()
        except FileNotFoundError:
            # Put together with others since it was listed.
            return False

    outcome = kill_and_resume(undisturbed, "undisturbed", victim.name, victim, ready=is_time)
    assert outcome.killed_s is not None, "the run was over before the kill"
    assert outcome.status == (-9 if victim is Victim.driver else 0)
    assert outcome.differences == []
    assert outcome.gone_s is not None
    assert len(tables_of(dataset)["clips"]) == _NUM_FILMS * 4
    runs = Dataset(dataset).manifest.read("ledger", ["run_id"])["run_id"].unique()
    assert len(runs) == (2 if victim is Victim.driver else 1), "what was done before the kill was done again"
