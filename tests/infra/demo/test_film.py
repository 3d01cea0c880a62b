from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from infra.demo.encode import Encoding, decode
from infra.demo.film import film_frames, film_truth, make_film
from infra.demo.plan import Style, draw_plan
from infra.demo.truth import Crop, FilmTruth

SMALL = Style(size=(160, 90), rate=Fraction(15), duration_s=6.0)


def differ(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_truth_of_transitions_is_the_pictures(seed: int) -> None:
    plan = draw_plan(seed, replace(SMALL, gradual_share=0.8, edge_fades=True, text_share=0, slide_share=0))
    truth = film_truth(plan, "a.mp4")
    frames = list(film_frames(plan))
    assert len(frames) == truth.num_frames == plan.num_frames
    for number, shot in enumerate(truth.shots):
        alone = replace(plan, pieces=(plan.pieces[number],), joins=(), fade_in_frames=0, fade_out_frames=0)
        clean = dict(enumerate(film_frames(alone), plan.starts[number]))
        for index in (shot.start_frame, shot.end_frame - 1):
            assert differ(frames[index], clean[index]) < 1e-9
        for index in (shot.start_frame - 1, shot.end_frame):
            if 0 <= index < len(frames):
                assert index not in clean or differ(frames[index], clean[index]) > 0.1


def test_shots_and_transitions_tile_the_film() -> None:
    for seed in range(20):
        style = replace(SMALL, gradual_share=0.6, hard=bool(seed % 2), edge_fades=seed % 3 == 0)
        truth = film_truth(draw_plan(seed, style), "a.mp4")
        spans = [(shot.start_frame, shot.end_frame) for shot in truth.shots]
        spans += [(cut.start, cut.end) for cut in truth.cuts]
        spans = sorted(span for span in spans if span[0] < span[1])
        assert spans[0][0] == 0
        assert spans[-1][1] == truth.num_frames
        assert all(a[1] == b[0] for a, b in pairwise(spans))


def test_a_cut_between_alike_neighbours_can_still_be_seen() -> None:
    for seed in range(12):
        style = replace(SMALL, size=(96, 54), hard=True, gradual_share=0, text_share=0, slide_share=0)
        plan = draw_plan(seed, style)
        frames = list(film_frames(plan))
        for cut in film_truth(plan, "a.mp4").cuts:
            assert differ(frames[cut.frame - 1], frames[cut.frame]) > 3, (seed, cut)


def test_a_seed_gives_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    style = replace(SMALL, duration_s=2.0)
    for name, seed in (("a.mp4", 1), ("b.mp4", 1), ("c.mp4", 2)):
        make_film(seed, tmp_path / name, style)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert (tmp_path / "a.mp4").read_bytes() != (tmp_path / "c.mp4").read_bytes()


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("a.mkv", replace(SMALL, vfr=True, border="pillarbox")),
        ("a.mp4", replace(SMALL, size=(90, 160), encoding=Encoding(rotation_deg=90))),
        ("a.webm", replace(SMALL, encoding=Encoding(codec="libvpx-vp9"))),
        ("a.mp4", replace(SMALL, border="letterbox", encoding=Encoding(codec="libx265"))),
    ],
)
def test_the_file_holds_what_the_truth_says(tmp_path: Path, name: str, style: Style) -> None:
    truth = make_film(4, tmp_path / name, style)
    frames = list(decode(tmp_path / name))
    assert len(frames) == truth.num_frames
    shown = np.rot90(frames[0], -truth.rotation_deg // 90)
    assert shown.shape == (truth.height, truth.width, 3)


@pytest.mark.parametrize("border", ["letterbox", "pillarbox"])
def test_the_crop_is_exact(border: str) -> None:
    plan = draw_plan(3, replace(SMALL, border=border, text_share=0, slide_share=0, gradual_share=0))
    truth = film_truth(plan, "a.mp4")
    for frame, shot in ((frame, truth.shots[0]) for frame in list(film_frames(plan))[:5]):
        lit = np.argwhere(frame.max(axis=2) > 0)
        (top, left), (bottom, right) = lit.min(axis=0), lit.max(axis=0)
        assert shot.crop == Crop(left, top, right - left + 1, bottom - top + 1)


def test_burned_in_text_lies_in_its_box_and_nowhere_else() -> None:
    style = replace(SMALL, size=(320, 180), text_share=2, slide_share=0, duration_s=1.0)
    plan = draw_plan(5, style)
    truth = film_truth(plan, "a.mp4")
    bare = replace(plan, pieces=tuple(replace(piece, texts=()) for piece in plan.pieces))
    lettered, clean = next(film_frames(plan)), next(film_frames(bare))
    changed = np.abs(lettered.astype(int) - clean).max(axis=2) > 0
    assert {box.kind for box in truth.shots[0].text} == {"subtitle", "title", "logo"}
    for box in truth.shots[0].text:
        part = changed[box.y : box.y + box.height, box.x : box.x + box.width]
        assert part.mean() > 0.15
        assert part.any(axis=1)[[0, -1]].all()
        assert part.any(axis=0)[[0, -1]].all()
        changed[box.y : box.y + box.height, box.x : box.x + box.width] = False
    assert changed.sum() == 0


def test_a_flash_is_bright_and_no_cut() -> None:
    plans = [draw_plan(seed, replace(SMALL, size=(96, 54), hard=True, gradual_share=0)) for seed in range(12)]
    flashed = [plan for plan in plans if film_truth(plan, "a").flashes]
    assert flashed
    truth = film_truth(flashed[0], "a")
    frames = list(film_frames(flashed[0]))
    start, end = truth.flashes[0]
    assert frames[start].mean() > frames[start - 1].mean() + 40
    assert all(cut.frame not in range(start, end + 1) for cut in truth.cuts)


def test_the_truth_survives_json(tmp_path: Path) -> None:
    truth = film_truth(draw_plan(2, replace(SMALL, hard=True, border="letterbox", text_share=1)), "a.mp4")
    truth.save(tmp_path / "a.json")
    assert FilmTruth.load(tmp_path / "a.json") == truth
