"""Shots with one thing wrong, and shots that only look like it: each drawn at random, with its exact frames.

What counts: `text` and `watermark` lie over the picture and stay over the scene's motion; a `letterbox` is black bars
on two sides or four; a `slideshow` is still pictures held for a second or more each, changed by cuts or dissolves
(a picture that a virtual camera travels over is not: nobody can tell it from a camera over a still scene); a `freeze`
is motion that stops for most of the shot; `blur` is defocus over the whole picture; `black` is so dark that nothing
can be made out; `shake` is a camera thrown about, while a calm hand, a pan or a zoom is fine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, repeat

import cv2
import numpy as np

from infra.demo.burned import TEXTS, WATERMARKS
from infra.demo.draw import Wishes, draw_scene
from infra.demo.encode import Image
from infra.demo.render import render_shot
from infra.demo.scene import WALL_Z, Scene, Thing
from infra.demo.transitions import bordered, mix
from infra.demo.truth import Crop, Cut, TextBox
from infra.demo.vocabulary import CAMERAS

Rng = np.random.Generator
Pictures = Iterator[Image]

CLEAN = "none"
_SIGNS = ("EXIT", "CAFE", "NO 7", "OPEN", "BAR", "STOP", "A12", "TAXI")
_PLAIN_GROUNDS = ("plaster wall", "cloudy sky")
_MOVES_FOR = 0.8
"""Least share of a shot in which something moves before a static camera."""
_CALM_CAMERAS = tuple(name for name in CAMERAS if name not in ("static", "handheld"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a shot is drawn for."""

    size: tuple[int, int]
    rate: Fraction
    num_frames: int

    @property
    def duration_s(self) -> float:
        """Of the shot."""
        return self.num_frames / float(self.rate)

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.size[0] / self.size[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A shot with its truth; frames are counted in the shot."""

    pictures: Pictures
    """(H, W, 3) uint8 RGB each."""
    bad: tuple[int, int]
    """Frames `[start, end)` with the defect; all of a clean shot."""
    scene_key: str = ""
    crop: Crop | None = None
    boxes: tuple[TextBox, ...] = ()
    cuts: tuple[Cut, ...] = ()
    """Changes of picture within it."""


Maker = Callable[[Rng, Frame, str], Take]


def _moving_scene(rng: Rng, frame: Frame, wishes: Wishes | None = None) -> Scene:
    """A scene in which something plainly moves, seen by a calm camera."""
    scene = draw_scene(rng, frame.duration_s, frame.aspect, wishes)
    for _ in range(60):
        camera = scene.camera
        if camera.kind == "handheld" and camera.speed == "fast":
            scene = replace(scene, camera=replace(camera, speed="medium"))
        # What falls or is hit comes to rest, and what is fast is soon there: before a static camera nothing moves from
        # then on.
        moves = scene.event == "none" and any(_moves_on(thing, scene.duration_s) for thing in scene.things)
        if camera.kind != "static" or moves:
            break
        scene = draw_scene(rng, frame.duration_s, frame.aspect, wishes)
    return scene


def _moves_on(thing: Thing, duration_s: float) -> bool:
    """Whether a thing plainly moves for most of the shot."""
    times_s = thing.path.times_s
    return thing.speed in ("medium", "fast") and times_s[-1] - times_s[0] >= _MOVES_FOR * duration_s


def _take(rng: Rng, frame: Frame, wishes: Wishes | None = None) -> Take:
    return _taken(_moving_scene(rng, frame, wishes), frame)


def _taken(scene: Scene, frame: Frame) -> Take:
    times_s = [index / float(frame.rate) for index in range(frame.num_frames)]
    return Take(pictures=render_shot(scene, frame.size, times_s), bad=(0, frame.num_frames), scene_key=str(scene.seed))


def _changed(take: Take, change: Callable[[Image, int], Image]) -> Take:
    """The take with each picture changed; the number of the frame is the second argument."""
    return replace(take, pictures=(change(picture, number) for number, picture in enumerate(take.pictures)))


def _overlaid(rng: Rng, frame: Frame, detail: str) -> Take:
    overlay = {**TEXTS, **WATERMARKS}[detail](rng, frame.size)

    def lay(picture: Image, number: int) -> Image:
        overlay.lay(picture, number / frame.num_frames)
        return picture

    return replace(_changed(_take(rng, frame), lay), boxes=overlay.boxes)


def _letterbox(rng: Rng, frame: Frame, detail: str) -> Take:
    width, height = frame.size
    side, top = round(width * float(rng.uniform(0.06, 0.2))), round(height * float(rng.uniform(0.06, 0.16)))
    side, top = side * (detail != "bars above and below"), top * (detail != "bars beside")
    inner = (width - 2 * side, height - 2 * top)
    take = _take(rng, replace(frame, size=inner))
    return replace(_changed(take, lambda picture, _: bordered(picture, side, top)), crop=Crop(side, top, *inner))


def _slideshow(rng: Rng, frame: Frame, detail: str) -> Take:
    num_slides = 1 if detail == "one picture" else max(2, int(frame.duration_s / 1.3))
    overlap = round(0.4 * float(frame.rate)) if detail == "dissolves" else 0
    starts = [frame.num_frames * number // num_slides for number in range(num_slides)]
    scenes = [draw_scene(rng, 1.0, frame.aspect) for _ in starts]
    slides = [next(render_shot(scene, frame.size, [0.5])) for scene in scenes]

    if overlap:
        cuts = tuple(Cut.gradual("dissolve", start - overlap, start) for start in starts[1:])
    else:
        cuts = tuple(Cut.hard(start) for start in starts[1:])
    return Take(
        pictures=_slides(slides, cuts, frame.num_frames),
        bad=(0, frame.num_frames),
        scene_key="-".join(str(scene.seed) for scene in scenes),
        cuts=cuts,
    )


def _slides(slides: list[Image], cuts: tuple[Cut, ...], num_frames: int) -> Pictures:
    """Still pictures, one after the other."""
    for number in range(num_frames):
        shown = sum(number >= cut.end for cut in cuts)
        cut = cuts[shown] if shown < len(cuts) else None
        if cut is not None and number >= cut.start:
            progress = (number - cut.start + 1) / (cut.end - cut.start + 1)
            yield mix(slides[shown], slides[shown + 1], progress, cut.kind)
        else:
            yield slides[shown]


def _freeze(rng: Rng, frame: Frame, detail: str) -> Take:
    held = round(frame.num_frames * float(rng.uniform(0.6, 0.85)))
    free = frame.num_frames - held
    start = {"at the start": 0, "at the end": free, "in the middle": round(free * float(rng.uniform(0.35, 0.65)))}[
        detail
    ]
    camera = _CALM_CAMERAS[int(rng.integers(len(_CALM_CAMERAS)))]
    take = _take(rng, frame, Wishes(camera=camera, camera_speed=("medium", "fast")[int(rng.integers(2))]))

    def pictures() -> Pictures:
        for number, picture in enumerate(islice(take.pictures, free + 1)):
            yield from repeat(picture, held) if number == start else [picture]

    return replace(take, pictures=islice(pictures(), frame.num_frames), bad=(start, start + held))


def _blur(rng: Rng, frame: Frame, detail: str) -> Take:
    low, high = {"soft": (0.013, 0.018), "strong": (0.018, 0.03)}[detail]
    sigma = max(2.0, min(frame.size) * float(rng.uniform(low, high)))
    # The sensor's noise is not defocused.
    noise = rng.normal(0, float(rng.uniform(0, 1.5)), (frame.size[1] + 16, frame.size[0] + 16, 1)).astype(np.float32)
    place = rng.integers(0, 17, (frame.num_frames, 2))

    def defocused(picture: Image, number: int) -> Image:
        y, x = place[number]
        soft = cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32)
        return np.asarray(np.clip(soft + noise[y : y + frame.size[1], x : x + frame.size[0]], 0, 255), np.uint8)

    return _changed(_take(rng, frame), defocused)


def _black(rng: Rng, frame: Frame, detail: str) -> Take:
    width, height = frame.size
    if detail == "barely visible":
        gain = float(rng.uniform(0.02, 0.05))
        return _changed(
            _take(rng, frame), lambda picture, _: np.asarray(cv2.convertScaleAbs(picture, alpha=gain), np.uint8)
        )
    level = 0 if detail == "plain" else 3

    def pictures() -> Pictures:
        for _ in range(frame.num_frames):
            yield rng.integers(0, level + 1, (height, width, 1), np.uint8).repeat(3, axis=2)

    return Take(pictures=pictures(), bad=(0, frame.num_frames))


def _shake(rng: Rng, frame: Frame, detail: str) -> Take:
    wishes = {"still": "static", "on a pan": ("pan left", "pan right")[int(rng.integers(2))], "by hand": "handheld"}
    scene = _moving_scene(rng, frame, Wishes(camera=wishes[detail], camera_speed="medium"))
    return _taken(replace(scene, camera=replace(scene.camera, jerk=float(rng.uniform(1.6, 3.2)))), frame)


def _clean(rng: Rng, frame: Frame, detail: str) -> Take:
    match detail:
        case "plain":
            return _take(rng, frame, Wishes(brightness="normal"))
        case "fast pan":
            return _fast_pan(rng, frame)
        case "dark":
            dark = (Wishes(brightness="dark", time="day"), Wishes(brightness="dim", time="night"))
            return _take(rng, frame, dark[int(rng.integers(2))])
        case "low texture":
            ground = _PLAIN_GROUNDS[int(rng.integers(2))]
            scene = _moving_scene(rng, frame, Wishes(background=ground, num_things=1, time="day"))
            return _taken(replace(scene, occluder="none"), frame)
        case "slow motion":
            scene = _moving_scene(rng, replace(frame, num_frames=max(1, frame.num_frames // 3)))
            times_s = [index / float(frame.rate) / 3 for index in range(frame.num_frames)]
            return replace(_taken(scene, frame), pictures=render_shot(scene, frame.size, times_s))
        case "sign":
            scene = _moving_scene(rng, frame, Wishes(camera=_CALM_CAMERAS[int(rng.integers(len(_CALM_CAMERAS)))]))
            return _taken(replace(scene, sign=_SIGNS[int(rng.integers(len(_SIGNS)))]), frame)
        case "static camera":
            return _take(rng, frame, Wishes(camera="static"))
        case "calm hand":
            speed = ("slow", "medium")[int(rng.integers(2))]
            return _take(rng, frame, Wishes(camera="handheld", camera_speed=speed))
    raise ValueError(f"no clean shot {detail!r}")


def _fast_pan(rng: Rng, frame: Frame) -> Take:
    """Half of what is seen passes in a second, with the blur of an open shutter."""
    name = ("pan left", "pan right", "truck left", "truck right")[int(rng.integers(4))]
    scene = _moving_scene(rng, frame, Wishes(camera=name, camera_speed="fast", brightness="normal"))
    scene = replace(scene, camera=replace(scene.camera, reach=2.0))
    shutter_s = 0.4 / float(frame.rate)

    def smeared(picture: Image, number: int) -> Image:
        time_s = number / float(frame.rate)
        ends = [_wall_spot(scene, frame, time) for time in (time_s, time_s + shutter_s)]
        return np.asarray(cv2.blur(picture, (max(1, round(abs(ends[1] - ends[0]))), 1)), np.uint8)

    return _changed(_taken(scene, frame), smeared)


def _wall_spot(scene: Scene, frame: Frame, time_s: float) -> float:
    """The column at which the middle of the wall is seen."""
    spot = scene.camera.pose(time_s, scene.duration_s).matrix(frame.size) @ np.array([0.0, 0.0, WALL_Z, 1.0])
    return float(spot[0] / spot[2])


_MAKERS: Mapping[str, tuple[Maker, tuple[str, ...]]] = {
    "text": (_overlaid, tuple(TEXTS)),
    "watermark": (_overlaid, tuple(WATERMARKS)),
    "letterbox": (_letterbox, ("bars above and below", "bars beside", "bars all round")),
    "slideshow": (_slideshow, ("one picture", "cuts", "dissolves")),
    "freeze": (_freeze, ("at the end", "at the start", "in the middle")),
    "blur": (_blur, ("soft", "strong")),
    "black": (_black, ("plain", "noise", "barely visible")),
    "shake": (_shake, ("still", "on a pan", "by hand")),
    CLEAN: (
        _clean,
        ("plain", "fast pan", "dark", "low texture", "slow motion", "sign", "static camera", "calm hand"),
    ),
}

KINDS = tuple(kind for kind in _MAKERS if kind != CLEAN)
"""What can be wrong with a shot."""
DETAILS: Mapping[str, tuple[str, ...]] = {kind: details for kind, (_, details) in _MAKERS.items()}
"""The sorts of each kind, and of clean shots."""


def take_shot(kind: str, detail: str, rng: Rng, frame: Frame) -> Take:
    """Draw a shot.

    Args:
        kind: One of `KINDS`, or `CLEAN`.
        detail: One of its `DETAILS`.
        rng: Where everything comes from; the pictures draw on it as they are made.
        frame: Size, rate and length.

    Raises:
        ValueError: There is no such shot.
    """
    if detail not in DETAILS.get(kind, ()):
        raise ValueError(f"no {kind} {detail!r}; there are {DETAILS}")
    return _MAKERS[kind][0](rng, frame, detail)
