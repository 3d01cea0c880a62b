"""Verdicts on what is seen, of things put together by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.demo.vocabulary import SHAPES
from infra.evaluate.asked import read_prompt
from infra.evaluate.blobs import Blob
from infra.evaluate.camera import CameraPath
from infra.evaluate.color import NAMES
from infra.evaluate.match import match_things
from infra.evaluate.objects import Seen
from infra.evaluate.shape import silhouettes
from infra.evaluate.sight import Sight
from infra.evaluate.verdicts import ASPECTS, judge

NUM = 16


def blob(color: str, shape: str, frame: int, x: float, *, y: float = 80, touches: bool = False) -> Blob:
    masks, aspects = silhouettes()
    number = SHAPES.index(shape)
    return Blob(
        frame=frame,
        x=x,
        y=y,
        size=20,
        box=(0, 0, 20, 20),
        rgb=np.ones(3, np.float32),
        colors=np.where(np.array(NAMES) == color, 0, 30).astype(np.float32),
        shapes=np.where(np.array(SHAPES) == shape, 1, 0).astype(np.float32),
        normal=masks[number].reshape(32, 32),
        aspect=float(aspects[number]),
        contrast=0.5,
        has_rim=True,
        touches=touches,
    )


def thing(color: str, shape: str, x: float = 80, *, to: float | None = None, frames: range = range(NUM)) -> Seen:
    places = np.linspace(x, x if to is None else to, NUM)
    return Seen.of([blob(color, shape, frame, float(places[frame])) for frame in frames])


def sight(*objects: Seen, **changes: object) -> Sight:
    values: dict[str, object] = {"camera": CameraPath("static", "", 0.0, NUM, 1.0), "background": "hills"}
    values |= {"reprojection": None, "strokes": tuple((0.0, 0.0) for _ in objects)}
    values |= {"bites": tuple((0.0, 0.0) for _ in objects), "fronts": {}, **changes}
    return Sight(
        num_frames=NUM,
        rate=7.5,
        native=(256, 144),
        size=(284, 160),
        objects=objects,
        ways=tuple(one.places / 160 for one in objects),
        motions=tuple("still" if np.ptp(one.places) < 90 else "right" for one in objects),
        **values,
    )


def scores(prompt: str, seen: Sight) -> dict[str, float]:
    return {verdict.aspect: verdict.score for verdict in judge(read_prompt(prompt), seen)}


STAR = "A small red star moves slowly to the right."


def test_what_is_as_asked_scores_one_and_only_what_was_asked_is_judged() -> None:
    found = scores(STAR, sight(thing("red", "star", 20, to=200)))
    assert found == {"color": 1, "shape": 1, "motion": 1, "framed": 1, "steady color": 1, "steady shape": 1}


def test_each_aspect_is_judged_by_itself() -> None:
    assert scores(STAR, sight(thing("blue", "star", 20, to=200)))["color"] == 0
    assert scores(STAR, sight(thing("blue", "star", 20, to=200)))["shape"] == 1
    assert scores(STAR, sight(thing("red", "star")))["motion"] == 0
    nothing = scores(STAR, sight())
    assert nothing == {"color": 0, "shape": 0, "motion": 0, "framed": 0}


def test_an_object_of_another_colour_and_shape_is_not_the_one_that_is_meant() -> None:
    assert match_things(read_prompt(STAR), sight(thing("blue", "circle"))) == (None,)
    assert match_things(read_prompt(STAR), sight(thing("blue", "circle"), thing("red", "star"))) == (1,)


def test_a_prompt_may_name_a_thing_of_every_colour() -> None:
    prompt = " ".join(f"A small {color} {shape} stands still." for color, shape in zip(NAMES, SHAPES, strict=True))
    seen = sight(*(thing(color, "circle", 20.0 * k) for k, color in enumerate(NAMES[:8])))
    match = match_things(read_prompt(prompt), seen)
    assert [index for index in match if index is not None] == [0, 1, 2, 3, 4, 5]


def test_number_background_camera_and_sides() -> None:
    prompt = (
        "Two objects over sand, with hills at the back. A small red star stands still; at first it is to the left of a "
        "big blue circle. The big blue circle stands still. The camera pans left slowly."
    )
    right = sight(
        thing("red", "star", 40), thing("blue", "circle", 120), camera=CameraPath("pan left", "pan", -9, NUM, 1)
    )
    found = scores(prompt, right)
    assert [found[name] for name in ("number", "background", "camera", "sides")] == [1, 1, 1, 1]
    wrong = sight(thing("red", "star", 120), thing("blue", "circle", 40), thing("white", "heart"), background="sand")
    found = scores(prompt, wrong)
    assert [found[name] for name in ("number", "background", "camera", "sides")] == [0, 0, 0, 0]


def test_a_thing_that_changes_or_is_gone_is_not_steady() -> None:
    changed = Seen.of([*thing("red", "star").blobs[:8], *thing("red", "heart").blobs[8:]])
    found = scores(STAR, sight(changed))
    assert (found["steady color"], found["steady shape"]) == (1, 0)
    found = scores(STAR, sight(thing("red", "star", frames=range(7))))
    assert (found["steady color"], found["steady shape"]) == (0, 0)


def test_a_thing_that_walks_out_of_the_picture_is_not_held_against_it() -> None:
    gone = Seen.of([*thing("red", "star", frames=range(6)).blobs, blob("red", "star", 6, 5, touches=True)])
    assert "steady color" not in scores(STAR, sight(gone))


def test_what_comes_out_behind_a_post_must_be_what_went_in() -> None:
    prompt = "A small red star moves slowly to the right. A post stands close to the camera."
    around = [frame for frame in range(NUM) if frame not in (7, 8)]
    same = Seen.of([blob("red", "star", frame, 10.0 * frame + 20) for frame in around])
    other = Seen.of([blob("red", "star" if frame < 7 else "circle", frame, 10.0 * frame + 20) for frame in around])
    assert scores(prompt, sight(same))["hidden"] == 1
    assert scores(prompt, sight(other))["hidden"] == 0
    assert scores(prompt, sight(thing("red", "star", frames=range(7))))["hidden"] == 0


def test_what_leaves_must_come_back() -> None:
    prompt = "A medium-sized red star leaves the picture and comes back."
    back = Seen.of([blob("red", "star", frame, 100) for frame in (0, 1, 2, 3, 11, 12, 13, 14, 15)])
    assert scores(prompt, sight(back))["returned"] == 1
    assert scores(prompt, sight(thing("red", "star")))["returned"] == 0


def test_collisions_push_in_order_and_nothing_passes_through() -> None:
    prompt = "A small red star hits a big blue circle and pushes it away."
    first = Seen.of([blob("red", "star", k, 20 + 10.0 * min(k, 8)) for k in range(NUM)])
    second = Seen.of([blob("blue", "circle", k, 125 + 8.0 * max(k - 8, 0)) for k in range(NUM)])
    found = scores(prompt, sight(first, second))
    assert (found["event"], found["order"], found["solid"]) == (1, 1, 1)
    through = Seen.of([blob("red", "star", k, 20 + 14.0 * k) for k in range(NUM)])
    found = scores(prompt, sight(through, thing("blue", "circle", 125)))
    assert (found["event"], found["order"], found["solid"]) == (0, 0, 0)


def test_a_stroke_must_be_there_and_stay() -> None:
    prompt = "A small red star paints a red stroke that stays."
    for strokes, wanted in (((0.9, 1.0), (1, 1)), ((0.9, 0.4), (1, 0)), ((0.1, 1.0), (0, 0))):
        found = scores(prompt, sight(thing("red", "star"), strokes=(strokes,)))
        assert (found["event"], found["lasting"]) == wanted


def test_a_bite_must_be_taken_and_stay() -> None:
    prompt = "A large red star stands still; a bite is taken out of it and stays."
    for bites, wanted in (((0.2, 1.0), (1, 1)), ((0.2, 0.1), (1, 0)), ((0.02, 1.0), (0, 0))):
        found = scores(prompt, sight(thing("red", "star"), bites=(bites,)))
        assert (found["event"], found["lasting"]) == wanted
        assert not {"steady color", "steady shape", "framed"} & set(found)
    assert scores(prompt, sight())["lasting"] == 0


def test_before_and_behind_are_judged_where_outlines_overlap() -> None:
    text = "A small red star stands still; at first it is {} a big blue circle. The big blue circle stands still."
    votes = np.full((len(SHAPES), len(SHAPES)), np.nan)
    votes[SHAPES.index("star"), SHAPES.index("circle")] = 0.9
    pair = (thing("red", "star", 70), thing("blue", "circle", 80))
    for word, wanted in (("in front of", 1), ("behind", 0)):
        assert scores(text.format(word), sight(*pair, fronts={(0, 1): votes}))["depth"] == wanted
        assert scores(text.format(word), sight(*pair, fronts={(1, 0): -votes.T}))["depth"] == wanted
        assert scores(text.format(word), sight(pair[0], fronts={(0, "blue"): votes}))["depth"] == wanted
        assert "depth" not in scores(text.format(word), sight(*pair))
        assert "sides" not in scores(text.format(word), sight(*pair))
    # What is behind may be hidden, what is in front cannot be.
    assert "depth" not in scores(text.format("in front of"), sight(pair[0]))
    assert scores(text.format("behind"), sight(pair[0]))["depth"] == 0


@pytest.mark.parametrize("seconds", [1.0, 2.1])
def test_what_cannot_have_happened_yet_is_not_judged(seconds: float) -> None:
    still = replace(sight(thing("red", "star")), rate=NUM / seconds)
    assert ("event" in scores("A small red star bounces on the floor.", still)) == (seconds > 2)


def test_no_score_leaves_its_range() -> None:
    for verdict in judge(read_prompt(STAR), sight(thing("red", "star"), thing("red", "star"))):
        assert verdict.aspect in ASPECTS
        assert 0 <= verdict.score <= 1
