from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from infra.demo.encode import decode
from infra.demo.truth import WorldTruth
from infra.demo.world import COPIES, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WorldTruth]:
    out = tmp_path_factory.mktemp("world")
    return out, make_world(out, 3, num_films=3, num_copies=5, num_stills=2, scale=0.15)


def first_frame(path: Path) -> np.ndarray:
    return next(decode(path))


def test_every_file_of_the_truth_exists_with_its_frames(world: tuple[Path, WorldTruth]) -> None:
    out, truth = world
    assert {path.name for path in (out / "footage").iterdir()} == {film.video for film in truth.films}
    for film in truth.films:
        frames = list(decode(out / "footage" / film.video))
        assert len(frames) == film.num_frames
        assert film.is_image == (film.num_frames == 1)


def test_the_truth_is_read_back_as_it_was(world: tuple[Path, WorldTruth]) -> None:
    out, truth = world
    assert WorldTruth.load(out / "truth.json") == truth


def test_copies_show_what_their_original_shows(world: tuple[Path, WorldTruth]) -> None:
    out, truth = world
    copies = [film for film in truth.films if film.duplicate_of]
    assert [film.duplicate_how for film in copies] == list(COPIES)
    for film in copies:
        assert film.duplicate_of is not None
        original = truth.film(film.duplicate_of)
        offset = original.num_frames - film.num_frames
        source = list(decode(out / "footage" / original.video))[offset]
        copy = first_frame(out / "footage" / film.video)
        if film.duplicate_how == "mirrored":
            copy = copy[:, ::-1]
        if film.duplicate_how == "letterboxed":
            bar = (film.height - original.height) // 2
            assert copy[: bar - 2].max() < 24
            copy = copy[bar:-bar]
        copy = cv2.resize(copy, source.shape[1::-1])
        assert np.abs(copy.astype(int) - source).mean() < 8, film.video


def test_an_exact_copy_has_the_same_bytes(world: tuple[Path, WorldTruth]) -> None:
    out, truth = world
    copy = next(film for film in truth.films if film.duplicate_how == "exact")
    assert copy.duplicate_of is not None
    assert (out / "footage" / copy.video).read_bytes() == (out / "footage" / copy.duplicate_of).read_bytes()


def test_cuts_of_a_trimmed_copy_come_earlier(world: tuple[Path, WorldTruth]) -> None:
    _, truth = world
    copy = next(film for film in truth.films if film.duplicate_how == "trimmed")
    assert copy.duplicate_of is not None
    original = truth.film(copy.duplicate_of)
    gone = original.num_frames - copy.num_frames
    assert gone > 0
    kept = [cut.start for cut in original.cuts if cut.start > gone]
    assert [cut.start + gone for cut in copy.cuts] == kept
    assert copy.shots[0].start_frame == 0
    assert copy.shots[-1].end_frame + gone == original.shots[-1].end_frame


def test_a_mirrored_copy_has_no_captions_since_left_is_right_in_it(world: tuple[Path, WorldTruth]) -> None:
    _, truth = world
    copy = next(film for film in truth.films if film.duplicate_how == "mirrored")
    assert all(shot.captions is None for shot in copy.shots)
    assert all(shot.captions for film in truth.films if film.is_image for shot in film.shots)


def test_training_worlds_hold_nothing_held_out(world: tuple[Path, WorldTruth]) -> None:
    _, truth = world
    assert not any(shot.held_out for film in truth.films for shot in film.shots)
