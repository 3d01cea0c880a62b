from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from infra.demo.defect_world import make_defect_world, plan_films
from infra.demo.defects import CLEAN, KINDS
from infra.demo.encode import decode
from infra.demo.planted import PLANTED_FILE, add_planted
from infra.demo.truth import WorldTruth
from infra.demo.world import make_world


def test_kinds_are_dealt_evenly_and_black_stands_alone() -> None:
    films = plan_films(7, 24)
    kinds = Counter(shot.kind for film in films for shot in film.shots)
    assert kinds == dict.fromkeys(KINDS, 10) | {CLEAN: 40}
    assert all(len(film.shots) == 1 for film in films if any(shot.kind == "black" for shot in film.shots))
    assert films == plan_films(7, 24)
    assert films != plan_films(8, 24)


def test_films_hold_the_shots_that_their_truth_tells(tmp_path: Path) -> None:
    truth = make_defect_world(tmp_path, 5, 1, kinds=("freeze", "slideshow"), clean_share=1)
    assert WorldTruth.load(tmp_path / "truth.json") == truth
    (film,) = truth.films
    assert sum(1 for _ in decode(tmp_path / "footage" / film.video)) == film.num_frames
    assert Counter(defect.kind for defect in film.defects) == {"freeze": 2, "slideshow": 2, CLEAN: 1}
    assert film.shots[-1].end_frame == film.num_frames
    for before, after in zip(film.defects, film.defects[1:], strict=False):
        assert before.end_frame <= after.start_frame


@pytest.mark.slow
def test_planted_films_leave_the_truth_of_the_world_alone(tmp_path: Path) -> None:
    world = make_world(tmp_path, 3, num_films=2, num_copies=0, num_stills=0, scale=0.15)
    planted = add_planted(tmp_path, world, num_films=1, num_copies=1)
    assert WorldTruth.load(tmp_path / "truth.json") == world
    assert WorldTruth.load(tmp_path / PLANTED_FILE) == planted
    assert {path.name for path in (tmp_path / "footage").iterdir()} == {
        film.video for film in (*world.films, *planted.films)
    }
    assert planted.films[-1].copy_of is not None
