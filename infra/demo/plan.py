"""The edit of a film, drawn at random: its pieces, how they join, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from infra.demo.camera import Pose
from infra.demo.draw import Wishes, draw_scene
from infra.demo.encode import Encoding
from infra.demo.scene import Scene
from infra.demo.tiny import VFR_TIME_BASE, vfr_ticks
from infra.demo.transitions import FADE_COLORS, WIPES
from infra.demo.vocabulary import CAMERAS

Rng = np.random.Generator

MIN_CLEAN_FRAMES = 8
"""A piece shows itself alone for at least so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What kind of film to draw."""

    size: tuple[int, int] = (480, 270)
    """Width and height as displayed, in pixels."""
    rate: Fraction = Fraction(25)
    vfr: bool = False
    duration_s: float = 14.0
    """About; the last shot ends it."""
    encoding: Encoding = field(default_factory=Encoding)
    """Its rate and time base are set from the above."""
    hard: bool = False
    """Alike neighbours, short shots, fast cameras, low light, flashes."""
    gradual_share: float = 0.4
    """Of the joins."""
    text_share: float = 0.3
    """Of the shots."""
    slide_share: float = 0.08
    """Of the shots."""
    border: str = ""
    """`letterbox`, `pillarbox` or none."""
    edge_fades: bool = False
    """Begin and end in black."""
    split: str = "train"
    """`train`: nothing held out; `held_out`: every subject is; `any`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A shot as it lies on the cutting table, with the frames that its transitions use up."""

    num_frames: int
    scene: Scene | None
    """None for a slide."""
    seed: int
    texts: tuple[str, ...] = ()
    """Kinds of burned-in text."""
    flash_frame: int | None = None
    """First frame of a flash, counted in the piece."""


@dataclass(frozen=True, slots=True)
class Join:
    """What happens between two pieces."""

    kind: str
    """`hard`, `dissolve`, `fade` or `wipe`."""
    num_frames: int = 0
    """By which the two overlap."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmPlan:
    """All that is needed to render and to know a film."""

    seed: int
    style: Style
    pieces: tuple[Piece, ...]
    joins: tuple[Join, ...]
    """One fewer than the pieces."""
    border: tuple[int, int] = (0, 0)
    """Black columns at each side, black rows above and below."""
    fade_in_frames: int = 0
    fade_out_frames: int = 0

    @property
    def starts(self) -> tuple[int, ...]:
        """Frame of the film at which each piece begins."""
        starts = [0]
        for piece, join in zip(self.pieces, self.joins, strict=False):
            starts.append(starts[-1] + piece.num_frames - join.num_frames)
        return tuple(starts)

    @property
    def num_frames(self) -> int:
        """Of the whole film."""
        return self.starts[-1] + self.pieces[-1].num_frames

    @property
    def ticks(self) -> list[int]:
        """Time of every frame, and of the end, in `time_base`."""
        if self.style.vfr:
            return vfr_ticks(self.num_frames + 1, self.style.rate)
        return list(range(self.num_frames + 1))

    @property
    def time_base(self) -> Fraction:
        """Of `ticks`, in seconds."""
        return VFR_TIME_BASE if self.style.vfr else 1 / self.style.rate

    @property
    def inner_size(self) -> tuple[int, int]:
        """Of the picture inside the borders."""
        return self.style.size[0] - 2 * self.border[0], self.style.size[1] - 2 * self.border[1]


def draw_plan(seed: int, style: Style | None = None) -> FilmPlan:
    """Draw the edit of a film."""
    style = style or Style()
    rng = np.random.default_rng(seed)
    border = _draw_border(rng, style)
    aspect = (style.size[0] - 2 * border[0]) / (style.size[1] - 2 * border[1])
    pieces: list[Piece] = []
    joins: list[Join] = []
    left_s = style.duration_s
    while left_s > 0:
        duration_s = float(rng.uniform(0.7, 2.8) if style.hard else rng.uniform(1.8, 4.8))
        join = _draw_join(rng, style) if pieces else Join("hard")
        if pieces:
            joins.append(join)
        used = join.num_frames / float(style.rate)
        left_s -= duration_s
        pieces.append(_draw_piece(rng, style, aspect, duration_s + 2 * used, pieces[-1] if pieces else None))
    pieces = _long_enough(pieces, joins)
    fades = [round(float(style.rate) * float(rng.uniform(0.4, 0.9))) * style.edge_fades for _ in range(2)]
    first, last = pieces[0], pieces[-1]
    pieces[0] = replace(first, num_frames=first.num_frames + fades[0])
    last = pieces[-1]
    pieces[-1] = replace(last, num_frames=last.num_frames + fades[1])
    return FilmPlan(
        seed=seed,
        style=style,
        pieces=tuple(pieces),
        joins=tuple(joins),
        border=border,
        fade_in_frames=fades[0],
        fade_out_frames=fades[1],
    )


def _draw_border(rng: Rng, style: Style) -> tuple[int, int]:
    width, height = style.size
    match style.border:
        case "":
            return 0, 0
        case "letterbox":
            return 0, max(4, round(height * float(rng.uniform(0.08, 0.14))))
        case "pillarbox":
            return max(4, round(width * float(rng.uniform(0.09, 0.16)))), 0
    raise ValueError(f"no border {style.border!r}")


def _draw_join(rng: Rng, style: Style) -> Join:
    if rng.random() >= style.gradual_share:
        return Join("hard")
    length = max(3, round(float(style.rate) * float(rng.uniform(0.3, 1.1))))
    kind = ("dissolve", "dissolve", "fade", "fade", "wipe")[int(rng.integers(5))]
    details = {"dissolve": ("",), "fade": (*FADE_COLORS, "through black"), "wipe": WIPES}[kind]
    return Join(kind, length, details[int(rng.integers(len(details)))])


def _draw_piece(rng: Rng, style: Style, aspect: float, duration_s: float, before: Piece | None) -> Piece:
    num_frames = max(round(duration_s * float(style.rate)), 2)
    seed = int(rng.integers(1 << 30))
    if before is not None and before.scene is not None and rng.random() < style.slide_share:
        return Piece(num_frames=num_frames, scene=None, seed=seed)
    alike = before is not None and before.scene is not None and style.hard and rng.random() < 0.6
    if alike and before is not None and before.scene is not None:
        scene = _alike(rng, before.scene, duration_s, style)
    else:
        wishes = Wishes(split=style.split)
        if style.hard:
            wishes = _hard_wishes(rng, style.split)
        scene = draw_scene(rng, duration_s, aspect, wishes)
    texts = tuple(kind for kind in ("subtitle", "title", "logo") if rng.random() < style.text_share / 2)
    flash = int(rng.integers(num_frames // 3, 2 * num_frames // 3 + 1)) if style.hard and rng.random() < 0.25 else None
    return Piece(num_frames=num_frames, scene=scene, seed=seed, texts=texts, flash_frame=flash)


def _hard_wishes(rng: Rng, split: str) -> Wishes:
    brightness = ("dark", "dim", "normal")[int(rng.integers(3))]
    moves = [name for name in CAMERAS if name != "static"]
    return Wishes(
        camera=moves[int(rng.integers(len(moves)))] if rng.random() < 0.7 else "",
        camera_speed="fast" if rng.random() < 0.6 else "",
        brightness=brightness,
        split=split,
    )


def _alike(rng: Rng, scene: Scene, duration_s: float, style: Style) -> Scene:
    """A scene that looks like its neighbour: the same set from another angle, or other objects."""
    base = _angle(rng) if scene.camera.base == Pose() else Pose()
    if rng.random() < 0.5:
        return replace(scene, duration_s=duration_s, camera=replace(scene.camera, name="static", base=base))
    wishes = Wishes(
        camera="handheld" if rng.random() < 0.4 else "",
        brightness=scene.brightness,
        time=scene.time,
        background=scene.background,
        split=style.split,
    )
    other = draw_scene(rng, duration_s, scene.aspect, wishes)
    camera = replace(other.camera, base=base)
    return replace(other, floor=scene.floor, light_side=scene.light_side, seed=scene.seed, camera=camera)


def _angle(rng: Rng) -> Pose:
    """Another place from which the middle of the set is seen."""
    side = float(rng.choice((-1, 1)))
    return Pose(
        x=side * float(rng.uniform(0.8, 1.6)),
        yaw=-side * float(rng.uniform(0.12, 0.22)),
        zoom=float(rng.uniform(1.2, 1.5)),
    )


def _long_enough(pieces: list[Piece], joins: list[Join]) -> list[Piece]:
    """Give every piece its clean frames beside those of its transitions."""
    longer = []
    for index, piece in enumerate(pieces):
        before = joins[index - 1].num_frames if index else 0
        after = joins[index].num_frames if index < len(joins) else 0
        longer.append(replace(piece, num_frames=max(piece.num_frames, before + after + MIN_CLEAN_FRAMES)))
    return longer
