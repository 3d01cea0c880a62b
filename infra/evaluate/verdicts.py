"""What was seen against what was asked for, aspect by aspect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from infra.demo.vocabulary import BACKGROUNDS, CAMERAS, COLORS, DIRECTIONS, SHAPES, STILL
from infra.evaluate.asked import Asked
from infra.evaluate.consistency import gaps, leaves_and_returns, same_after, steadiness
from infra.evaluate.depth import Key, stands
from infra.evaluate.events import comes_first, drop_and_rebound, is_pushed, passes_through, vertical_event
from infra.evaluate.layout import DEPTH_WORDS, SIDE_WORDS, framed_share, relation
from infra.evaluate.match import Match, match_things
from infra.evaluate.sight import Sight

FRAMED_SHARE = 0.5
"""In so many frames the subject must be in the picture with all of it: some walk out of it."""
_PAINTED_SHARE = 0.5
_KEPT_SHARE = 0.75
_BITTEN_SHARE = 0.06
"""Of an object's face: a bite takes twice as much and more."""
_NEAR_SHARE = 0.2
"""Of a picture's points, where geometry puts them in the next: others are lost or followed wrongly, on plain walls."""
_LEAST_EVENT_S, _LEAST_LANDING_S = 1.9, 2.4
"""In less time things have not hit each other or come up again; have not come to rest on the floor."""
_UNFOLLOWED = ("return", "bite")
"""What dips out of the picture, or is of no shape any more, is not found in every frame, and judged by itself."""
_TOGETHER_SHARE = 0.6
"""Of the frames, in which two things are both seen, so that one can say that they stayed apart."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One aspect of one video."""

    aspect: str
    score: float
    """0 to 1."""
    asked: str
    seen: str


def judge(asked: Asked, sight: Sight) -> list[Verdict]:
    """Say of every aspect that a prompt names, and that can be seen, whether it is as asked for."""
    match = match_things(asked, sight)
    found = []
    for aspect, rule in ASPECTS.items():
        verdict = rule(asked, sight, match)
        if verdict is not None:
            score, wanted, seen = verdict
            found.append(Verdict(aspect, float(score), wanted, seen))
    return found


Found = tuple[float, str, str] | None
"""Score, what was asked for, what was seen; None where it was not asked for or cannot be seen."""


def _of_things(asked: Asked, sight: Sight, match: Match, name: str) -> Found:
    """The share of things of which one word agrees."""
    if not asked.things:
        return None
    wanted = [str(getattr(thing, name)) for thing in asked.things]
    seen = ["" if index is None else str(getattr(sight.objects[index], name)) for index in match]
    share = float(np.mean([one == other for one, other in zip(wanted, seen, strict=True)]))
    return share, ", ".join(wanted), ", ".join(word or "nothing" for word in seen)


def _color(asked: Asked, sight: Sight, match: Match) -> Found:
    return _of_things(asked, sight, match, "color")


def _shape(asked: Asked, sight: Sight, match: Match) -> Found:
    return _of_things(asked, sight, match, "shape")


def _number(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.number is None:
        return None
    return float(len(sight.objects) == asked.number), str(asked.number), str(len(sight.objects))


def _motion(asked: Asked, sight: Sight, match: Match) -> Found:
    pairs = [
        (thing.motion, "" if index is None else sight.motions[index])
        for thing, index in zip(asked.things, match, strict=True)
        if thing.motion in DIRECTIONS or thing.motion == STILL
    ]
    if not pairs:
        return None
    share = float(np.mean([wanted == seen for wanted, seen in pairs]))
    return share, ", ".join(one for one, _ in pairs), ", ".join(other or "nothing" for _, other in pairs)


def _camera(asked: Asked, sight: Sight, match: Match) -> Found:
    if not asked.camera:
        return None
    return float(asked.camera == sight.camera.name), asked.camera, sight.camera.name


def _background(asked: Asked, sight: Sight, match: Match) -> Found:
    if not asked.background:
        return None
    return float(asked.background == sight.background), asked.background, sight.background


def _sides(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.relation not in SIDE_WORDS or len(match) < 2:
        return None
    if match[0] is None or match[1] is None:
        return 0.0, asked.relation, "nothing"
    seen = relation(sight.objects[match[0]], sight.objects[match[1]])
    return float(seen == asked.relation), asked.relation, seen


def _depth(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.relation not in DEPTH_WORDS or len(match) < 2:
        return None
    # What is half hidden may be a patch of its colour and no object.
    one, other = (_keys(index, thing.color) for index, thing in list(zip(match, asked.things, strict=True))[:2])
    seen = stands(sight.fronts, one, other, (asked.things[0].shape, asked.things[1].shape))
    # Side by side nothing tells their distance, since sizes are free and things hang in the air; and what stands behind
    # may be hidden altogether, but not what stands in front.
    if not seen and match[0 if asked.relation == "in front of" else 1] is not None:
        return None
    return float(seen == asked.relation), asked.relation, seen or "nothing"


def _keys(index: int | None, color: str) -> list[Key]:
    return [color] if index is None else [index, color]


def _framed(asked: Asked, sight: Sight, match: Match) -> Found:
    if not asked.things or asked.event in _UNFOLLOWED:
        return None
    share = 0.0 if match[0] is None else framed_share(sight.objects[match[0]], sight.num_frames)
    return float(share >= FRAMED_SHARE), "in the picture", f"with all of it in {share:.0%} of the frames"


def _event(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.event not in ("fall", "bounce", "brush", "collision", "bite"):
        return None
    if asked.event in ("bounce", "collision") and sight.seconds < _LEAST_EVENT_S:
        return None
    if match[0] is None or (asked.event == "collision" and match[1] is None):
        return 0.0, asked.event, "nothing"
    if asked.event == "brush":
        share = sight.strokes[match[0]][0]
        return float(share >= _PAINTED_SHARE), "brush", f"paint on {share:.0%} of the way"
    if asked.event == "bite":
        share = sight.bites[match[0]][0]
        return float(share >= _BITTEN_SHARE), "bite", f"{share:.0%} of it bitten out"
    if asked.event == "collision":
        assert match[1] is not None
        is_hit = is_pushed(sight.ways[match[0]], sight.ways[match[1]])
        return float(is_hit), "collision", "pushed" if is_hit else "not pushed"
    seen = vertical_event(sight.ways[match[0]])
    return float(seen == asked.event), asked.event, seen or "neither"


def _order(asked: Asked, sight: Sight, match: Match) -> Found:
    is_short = asked.event == "collision" and sight.seconds < _LEAST_EVENT_S
    if asked.event not in ("turns", "collision") or len(match) < 2 or is_short:
        return None
    if match[0] is None or match[1] is None:
        return 0.0, "first, second", "nothing"
    first, second = ((sight.ways[index], sight.times_s(index)) for index in match[:2] if index is not None)
    is_first = comes_first(first, second)
    seen = "one does not move" if is_first is None else "first, second" if is_first else "second, first"
    return float(is_first is True), "first, second", seen


def _steady(asked: Asked, sight: Sight, match: Match, part: int) -> Found:
    found = (
        []
        if asked.event in _UNFOLLOWED
        else [
            halves[part]
            for index in match
            if index is not None and (halves := steadiness(sight.objects[index], sight.num_frames)) is not None
        ]
    )
    if not found:
        return None
    return float(np.mean(found)), "the same at the end", "the same" if all(found) else "another"


def _steady_color(asked: Asked, sight: Sight, match: Match) -> Found:
    return _steady(asked, sight, match, 0)


def _steady_shape(asked: Asked, sight: Sight, match: Match) -> Found:
    return _steady(asked, sight, match, 1)


def _hidden(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.occluder != "post" or not asked.things or asked.things[0].motion not in DIRECTIONS:
        return None
    if match[0] is None:
        return 0.0, "comes out behind the post", "nothing"
    one = sight.objects[match[0]]
    inner = [(before, after) for before, after in gaps(one) if not (before[-1].touches or after[0].touches)]
    if not inner:
        is_gone = one.frames[-1] < sight.num_frames - 3 and not one.blobs[-1].touches
        return (0.0, "comes out behind the post", "gone") if is_gone else None
    is_same = all(same_after(before, after) for before, after in inner)
    return float(is_same), "comes out behind the post", "the same" if is_same else "another"


def _returned(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.event != "return" or not asked.things:
        return None
    is_back = match[0] is not None and leaves_and_returns(sight.objects[match[0]], sight.num_frames)
    return float(is_back), "leaves and comes back", "so" if is_back else "not so"


def _lasting(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.event == "bite":
        share, kept = (0.0, 0.0) if match[0] is None else sight.bites[match[0]]
        return float(share >= _BITTEN_SHARE and kept >= _KEPT_SHARE), "stays bitten", f"{kept:.0%} of the bite stays"
    if asked.event != "brush":
        return None
    share, kept = (0.0, 0.0) if match[0] is None else sight.strokes[match[0]]
    return float(share >= _PAINTED_SHARE and kept >= _KEPT_SHARE), "the stroke stays", f"{kept:.0%} of it stays"


def _solid(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.event != "collision" or len(match) < 2:
        return None
    if match[0] is None or match[1] is None:
        return 0.0, "nothing passes through", "nothing"
    one, other = sight.objects[match[0]], sight.objects[match[1]]
    if len(np.intersect1d(one.frames, other.frames)) < _TOGETHER_SHARE * sight.num_frames:
        return 0.0, "nothing passes through", "one of them is gone"
    goes = passes_through(one, other)
    return float(not goes), "nothing passes through", "passes through" if goes else "so"


def _landing(asked: Asked, sight: Sight, match: Match) -> Found:
    if asked.event != "fall" or sight.seconds < _LEAST_LANDING_S:
        return None
    if match[0] is None:
        return 0.0, "stops at the floor", "nothing"
    one, ways = sight.objects[match[0]], sight.ways[match[0]]
    drop, _ = drop_and_rebound(ways)
    few = max(2, len(ways) // 8)
    rests = bool(np.ptp(ways[-few:, 1]) < 0.12 * max(drop, 1e-6))
    stops = rests and one.frames[-1] >= sight.num_frames - 2 and not one.blobs[-1].touches
    return float(stops), "stops at the floor", "so" if stops else "goes on or is gone"


def _geometry(asked: Asked, sight: Sight, match: Match) -> Found:
    if sight.reprojection is None:
        return None
    share, error = sight.reprojection
    seen = f"at least {share:.0%} of points in place, middle error {100 * error:.2f} % of the side"
    return float(share >= _NEAR_SHARE), "points where geometry puts them", seen


Rule = Callable[[Asked, Sight, Match], Found]
ADHERENCE: Mapping[str, Rule] = {
    "color": _color,
    "shape": _shape,
    "number": _number,
    "motion": _motion,
    "camera": _camera,
    "background": _background,
    "sides": _sides,
    "depth": _depth,
    "framed": _framed,
    "event": _event,
    "order": _order,
}
"""What a prompt asks for."""
CONSISTENCY: Mapping[str, Rule] = {
    "steady color": _steady_color,
    "steady shape": _steady_shape,
    "hidden": _hidden,
    "returned": _returned,
    "lasting": _lasting,
    "solid": _solid,
    "landing": _landing,
    "geometry": _geometry,
}
"""What the world asks for."""
ASPECTS: Mapping[str, Rule] = {**ADHERENCE, **CONSISTENCY}
CHANCE: Mapping[str, float] = {
    "color": 1 / len(COLORS),
    "shape": 1 / len(SHAPES),
    "number": 1 / 4,
    "motion": 1 / (len(DIRECTIONS) + 1),
    "camera": 1 / len(CAMERAS),
    "background": 1 / len(BACKGROUNDS),
    "sides": 1 / len(SIDE_WORDS),
    "depth": 1 / 2,
    "order": 1 / 2,
}
"""Of naming one thing right blindly; with several things in the picture one of them may fit a prompt by chance."""
