"""Burned-in text and watermarks, drawn at random: what editors and stock sites lay over a film."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from infra.demo.encode import Image
from infra.demo.overlay import BLACK, FACES, WHITE, Color, Look, Patch, paint, words, wrapped
from infra.demo.truth import TextBox

Rng = np.random.Generator
Size = tuple[int, int]

_SENTENCES = (
    "I did not see it coming, and neither did you",
    "Where are they going with all these boxes?",
    "Wait for me! I only need another minute",
    "Nobody told us that the bridge was closed",
    "We should turn back now, before it gets dark",
    "You said the same thing this time last year",
    "They built the whole house in a single summer",
    "Then add the flour and stir it slowly",
    "This part of the machine is hard to reach",
    "Listen, somebody is coming up the stairs",
)
_HEADLINES = (
    "Council votes on the new harbour tonight",
    "Heavy rain expected in the north until Friday",
    "Trains to the coast are delayed by an hour",
    "Markets close higher after a quiet week",
    "Museum opens its doors after two years of work",
)
_NAMES = ("Dr. Maria Lindqvist", "Tom Okafor", "Prof. Elena Petrova", "Jonas Weber", "Aiko Tanaka", "Sam Rivera")
_ROLES = ("Head of Research", "Eyewitness", "City Engineer", "Chef and Author", "Team Captain", "Field Reporter")
_LONG = (
    "In the spring of that year the river rose higher than anyone could remember and took the old mill with it",
    "All persons and events in this film are invented. Any likeness to real ones is a coincidence",
    "The following recording was made with the consent of everyone who can be seen in it",
    "Subscribe to our channel for a new video every Tuesday and leave your questions below",
)
_CREDITS = ("Directed by", "Anna Holm", "Camera", "Piotr Nowak", "Music", "The Small Band", "Edited by", "L. Moreau")
_SHOUTS = ("WAIT FOR IT", "DAY 12 OF 30", "YOU WON'T BELIEVE THIS", "LIFE HACK NUMBER 5", "POV: IT IS MONDAY")
_MARKS = (
    "STOCKLY",
    "pixelbay",
    "@mini.world",
    "FreeClips.tv",
    "SAMPLE",
    "PREVIEW",
    "(c) M. Brandt",
    "NORDFILM",
    "RTV 2",
)
_TINTS: tuple[Color, ...] = (WHITE, WHITE, WHITE, (250, 225, 60), (120, 230, 250), (160, 250, 140))
_BOXES: tuple[Color, ...] = (BLACK, (150, 20, 28), (24, 52, 120), (240, 240, 236), (20, 110, 70))


@dataclass(frozen=True, slots=True)
class Overlay:
    """Patches over a shot, which may slide."""

    patches: tuple[tuple[Patch, float, float], ...]
    """Each with the share of the shot at which it comes and goes."""
    boxes: tuple[TextBox, ...]
    shift_px: float = 0.0
    """By which the last patch slides to the left over the whole shot; 0 for one that stays."""
    rise_px: float = 0.0
    """The same, upwards."""

    def lay(self, picture: Image, share: float) -> None:
        """Lay it over the picture at a share of the shot, in place."""
        for number, (patch, start, end) in enumerate(self.patches):
            if start <= share < end:
                slides = number == len(self.patches) - 1
                moved = replace(patch, y=patch.y - round(self.rise_px * share)) if slides and self.rise_px else patch
                moved.lay(picture, round(self.shift_px * share) if slides else 0)


def _pick(rng: Rng, items: tuple[str, ...]) -> str:
    return items[int(rng.integers(len(items)))]


def _tint(rng: Rng, choices: tuple[Color, ...]) -> Color:
    return choices[int(rng.integers(len(choices)))]


def _height(rng: Rng, size: Size, low: float, high: float, least_px: float = 9.0) -> float:
    """Of capitals, as a share of the shorter side."""
    return max(least_px, min(size) * float(rng.uniform(low, high)))


def _readable(rng: Rng, look: Look) -> Look:
    """With a rim, or with a box of another brightness behind it."""
    if rng.random() < 0.65:
        return replace(look, rim_px=1 if look.height_px < 16 else 2)
    box = _tint(rng, _BOXES)
    color = BLACK if sum(box) > 400 else look.color
    return replace(look, rim_px=0, box=box, color=color, opacity=float(rng.uniform(0.75, 1.0)))


def _still(patch: Patch, text: str, kind: str, start: float = 0.0, end: float = 1.1) -> Overlay:
    return Overlay(((patch, start, end),), (patch.box(text, kind),))


def _subtitle(rng: Rng, size: Size) -> Overlay:
    """One or two lines at the foot, changed once or not at all."""
    width, height = size
    look = _readable(
        rng, Look(face=_pick(rng, FACES), height_px=_height(rng, size, 0.04, 0.06), color=_tint(rng, _TINTS))
    )
    foot = float(rng.uniform(0.90, 0.97))
    parts, boxes = [], []
    changes = [0.0, 1.1] if rng.random() < 0.6 else [0.0, float(rng.uniform(0.4, 0.6)), 1.1]
    for start, end in pairwise(changes):
        text = _pick(rng, _SENTENCES)
        patch = paint(wrapped(text, look.face, look.height_px, 0.88 * width), look)
        patch = replace(patch, x=(width - patch.color.shape[1]) // 2, y=round(foot * height) - patch.color.shape[0])
        parts.append((patch, start, end))
        boxes.append(patch.box(text, "subtitle"))
    return Overlay(tuple(parts), tuple(boxes))


def _title_card(rng: Rng, size: Size) -> Overlay:
    """Many lines across the picture."""
    width, height = size
    look = Look(face=_pick(rng, FACES), height_px=_height(rng, size, 0.045, 0.06), color=_tint(rng, _TINTS))
    look = _readable(rng, look)
    text = _pick(rng, _LONG)
    patch = paint(wrapped(text, look.face, look.height_px, 0.8 * width), look)
    patch = replace(patch, x=(width - patch.color.shape[1]) // 2, y=(height - patch.color.shape[0]) // 2)
    return _still(patch, text, "title")


def _credits(rng: Rng, size: Size) -> Overlay:
    """Lines that roll upwards."""
    width, height = size
    look = Look(face=_pick(rng, FACES), height_px=_height(rng, size, 0.04, 0.055), rim_px=1)
    lines = [_CREDITS[(number + int(rng.integers(2))) % len(_CREDITS)] for number in range(20)]
    patch = paint(lines, look)
    patch = replace(patch, x=(width - patch.color.shape[1]) // 2, y=round(0.1 * height))
    rise = float(rng.uniform(0.3, 0.7)) * height
    return replace(_still(patch, " ".join(lines), "credits"), rise_px=rise)


def _ticker(rng: Rng, size: Size) -> Overlay:
    """A band at the foot with a line that runs through."""
    width, height = size
    cap = _height(rng, size, 0.035, 0.05)
    look = Look(face=_pick(rng, FACES), height_px=cap, rim_px=0, align="left")
    text = "   +++   ".join(_pick(rng, _HEADLINES) for _ in range(4))
    band_px = round(2.2 * cap)
    top = height - band_px - round(float(rng.uniform(0.0, 0.06)) * height)
    dark = _tint(rng, ((16, 28, 70), (120, 16, 24), (24, 24, 28)))
    band = Patch(np.full((band_px, width, 3), dark, np.uint8), np.full((band_px, width), 235, np.uint8), 0, top)
    line = replace(paint([text], look), x=round(0.02 * width), y=top + (band_px - round(1.35 * cap)) // 2)
    boxes = (TextBox(text, "ticker", 0, top, width, band_px),)
    return Overlay(((band, 0.0, 1.1), (line, 0.0, 1.1)), boxes, shift_px=float(rng.uniform(0.5, 1.2)) * width)


def _lower_third(rng: Rng, size: Size) -> Overlay:
    """A name and a role in a box, and a headline below or not."""
    width, height = size
    cap = _height(rng, size, 0.04, 0.055)
    box = _tint(rng, _BOXES)
    look = Look(
        face=_pick(rng, FACES),
        height_px=cap,
        rim_px=0,
        box=box,
        color=BLACK if sum(box) > 400 else WHITE,
        opacity=float(rng.uniform(0.8, 1.0)),
        align="left",
    )
    lines = [_pick(rng, _NAMES), _pick(rng, _ROLES)]
    lines += wrapped(_pick(rng, _HEADLINES), look.face, cap, 0.8 * width)
    patch = paint(lines, look)
    patch = replace(patch, x=round(0.05 * width), y=round(0.95 * height) - patch.color.shape[0])
    return _still(patch, " ".join(lines), "caption")


def _shout(rng: Rng, size: Size) -> Overlay:
    """A few large words anywhere, as short videos have them."""
    width, height = size
    text = _pick(rng, _SHOUTS)
    look = _readable(
        rng,
        Look(
            face=_pick(rng, ("bold", "black", "condensed")),
            height_px=_height(rng, size, 0.06, 0.1),
            rim_px=2,
            color=_tint(rng, _TINTS),
        ),
    )
    patch = paint(wrapped(text, look.face, look.height_px, 0.8 * width), look)
    room = max(1, height - patch.color.shape[0])
    patch = replace(patch, x=(width - patch.color.shape[1]) // 2, y=round(float(rng.uniform(0.08, 0.85)) * room))
    return _still(patch, text, "caption")


TEXTS: Mapping[str, Callable[[Rng, Size], Overlay]] = {
    "subtitle": _subtitle,
    "title card": _title_card,
    "credits": _credits,
    "ticker": _ticker,
    "lower third": _lower_third,
    "large words": _shout,
}
"""Kinds of burned-in text."""


def _mark(rng: Rng, size: Size, low: float, high: float) -> tuple[str, Image, Image]:
    """A mark with its text: its cover and its colours."""
    text = _pick(rng, _MARKS)
    cap = _height(rng, size, low, high)
    mask = words(text, _pick(rng, FACES), cap)
    if rng.random() < 0.5:
        return text, mask, np.full((*mask.shape, 3), WHITE, np.uint8)
    # With an emblem before it.
    side = round(1.7 * cap)
    emblem = np.zeros((side, side), np.uint8)
    middle = (side // 2, side // 2)
    cv2.circle(emblem, middle, max(2, side // 2 - 1), (255,), max(1, side // 7), cv2.LINE_AA)
    cv2.drawMarker(emblem, middle, (255,), int(rng.integers(7)), max(3, side // 2), max(1, side // 9), cv2.LINE_AA)
    height = max(side, mask.shape[0])
    cover = np.zeros((height, side + round(0.5 * cap) + mask.shape[1]), np.uint8)
    cover[(height - side) // 2 :][:side, :side] = emblem
    cover[(height - mask.shape[0]) // 2 :][: mask.shape[0], -mask.shape[1] :] = mask
    return text, cover, np.full((*cover.shape, 3), WHITE, np.uint8)


def _shaded(cover: Image, color: Image, opacity: float) -> Patch:
    """A light mark with a soft dark edge, so that it can be seen on light ground too."""
    pad = 2
    wide = np.pad(cover, pad)
    edge = cv2.GaussianBlur(cv2.dilate(wide, np.ones((3, 3), np.uint8)), (0, 0), 0.8)
    ink = wide.astype(np.float32) / 255
    total = np.maximum(wide, np.asarray(edge) * np.float32(0.6))
    weight = (ink / np.maximum(total / 255, 1e-3)).clip(0, 1)[..., None]
    painted = np.pad(color, ((pad, pad), (pad, pad), (0, 0)), mode="edge") * weight
    return Patch(np.round(painted).astype(np.uint8), np.round(total * opacity).astype(np.uint8), 0, 0)


def _corner_mark(rng: Rng, size: Size) -> Overlay:
    width, height = size
    text, cover, color = _mark(rng, size, 0.04, 0.065)
    patch = _shaded(cover, color, float(rng.uniform(0.35, 0.85)))
    margin = round(0.04 * min(size))
    x = (margin, width - margin - patch.color.shape[1])[int(rng.integers(2))]
    y = (margin, height - margin - patch.color.shape[0])[int(rng.integers(2))]
    return _still(replace(patch, x=x, y=y), text, "watermark")


def _centre_mark(rng: Rng, size: Size) -> Overlay:
    width, height = size
    text, cover, color = _mark(rng, size, 0.10, 0.14)
    if cover.shape[1] > 0.9 * width:
        scale = 0.9 * width / cover.shape[1]
        cover = np.asarray(cv2.resize(cover, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        color = np.full((*cover.shape, 3), WHITE, np.uint8)
    patch = _shaded(cover, color, float(rng.uniform(0.2, 0.5)))
    x, y = (width - patch.color.shape[1]) // 2, (height - patch.color.shape[0]) // 2
    return _still(replace(patch, x=x, y=y), text, "watermark")


def _tiled_mark(rng: Rng, size: Size) -> Overlay:
    """Slanting rows of the same words all over the picture."""
    width, height = size
    text, cover, _ = _mark(rng, size, 0.05, 0.07)
    reach = round(1.5 * max(size))
    sheet = np.zeros((reach, reach), np.uint8)
    step_x, step_y = round(cover.shape[1] * 1.5), round(cover.shape[0] * 3.2)
    for row, y in enumerate(range(0, reach - cover.shape[0], step_y)):
        for x in range((row % 2) * step_x // 2, reach - cover.shape[1], step_x):
            sheet[y : y + cover.shape[0], x : x + cover.shape[1]] = cover
    turn = cv2.getRotationMatrix2D((reach / 2, reach / 2), float(rng.uniform(15, 40)), 1.0)
    sheet = np.asarray(cv2.warpAffine(sheet, turn, (reach, reach), flags=cv2.INTER_AREA), np.uint8)
    left, top = (reach - width) // 2, (reach - height) // 2
    part = np.ascontiguousarray(sheet[top : top + height, left : left + width])
    patch = _shaded(part, np.full((*part.shape, 3), WHITE, np.uint8), float(rng.uniform(0.2, 0.45)))
    patch = Patch(patch.color[2:-2, 2:-2], patch.cover[2:-2, 2:-2], 0, 0)
    return _still(patch, text, "watermark")


WATERMARKS: Mapping[str, Callable[[Rng, Size], Overlay]] = {
    "corner": _corner_mark,
    "centre": _centre_mark,
    "tiled": _tiled_mark,
}
"""Kinds of watermark; each stays in its place."""
