"""Films: shots rendered, joined, bordered, lettered and written, with their truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from infra.demo.captions import caption
from infra.demo.encode import Image, encode
from infra.demo.lettering import Lettering, place_text, slide
from infra.demo.plan import FilmPlan, Piece, Style, draw_plan
from infra.demo.render import Stage
from infra.demo.transitions import bordered, fade_to, mix
from infra.demo.truth import Crop, Cut, FilmTruth, ShotTruth, shots_between

FLASH_WEIGHTS = (0.85, 0.6, 0.3)
"""How white the frames of a flash are."""


def make_film(seed: int, path: Path | str, style: Style | None = None) -> FilmTruth:
    """Draw, render and write a film.

    Args:
        seed: Gives the same film, to the byte, every time.
        path: Where to; the ending names the container.
        style: None for a plain 480x270 film in H.264.
    """
    plan = draw_plan(seed, style)
    write_film(plan, path)
    return film_truth(plan, Path(path).name)


def write_film(plan: FilmPlan, path: Path | str) -> None:
    """Render a plan and write it."""
    style = plan.style
    encoding = replace(style.encoding, frame_rate=style.rate, time_base=plan.time_base if style.vfr else None)
    encode(path, film_frames(plan), encoding, pts=plan.ticks[:-1] if style.vfr else None)


def film_frames(plan: FilmPlan) -> Iterator[Image]:
    """The pictures of a film, (H, W, 3) uint8 RGB."""
    times_s = [float(tick * plan.time_base) for tick in plan.ticks]
    starts = plan.starts
    shown: dict[int, _Shown] = {}
    for frame in range(plan.num_frames):
        pictures = []
        for number, (piece, start) in enumerate(zip(plan.pieces, starts, strict=True)):
            if start <= frame < start + piece.num_frames:
                if number not in shown:
                    shown[number] = _Shown.of(plan, piece)
                pictures.append((number, shown[number].picture(plan, frame - start, times_s[frame] - times_s[start])))
            else:
                shown.pop(number, None)
        yield _edge_fade(plan, frame, _join(plan, frame, pictures))


def film_truth(plan: FilmPlan, video: str) -> FilmTruth:
    """What a plan's film holds."""
    times_s = [float(tick * plan.time_base) for tick in plan.ticks]
    cuts = _cuts(plan)
    bare = iter(shots_between(cuts, plan.num_frames, times_s[:-1], times_s[-1]))
    shots = tuple(_shot_truth(plan, piece, next(bare)) for piece in plan.pieces)
    style = plan.style
    rate = style.rate
    return FilmTruth(
        video=video,
        num_frames=plan.num_frames,
        width=style.size[0],
        height=style.size[1],
        frame_rate=rate,
        codec=style.encoding.codec,
        is_vfr=style.vfr,
        rotation_deg=style.encoding.rotation_deg,
        cuts=cuts,
        shots=shots,
        flashes=tuple(
            (start + piece.flash_frame, start + piece.flash_frame + len(FLASH_WEIGHTS))
            for piece, start in zip(plan.pieces, plan.starts, strict=True)
            if piece.flash_frame is not None
        ),
        hard=style.hard,
        seed=plan.seed,
    )


@dataclass(slots=True)
class _Shown:
    """A piece made ready for the screen."""

    piece: Piece
    stage: Stage | None
    still: Image | None
    texts: tuple[Lettering, ...]

    @classmethod
    def of(cls, plan: FilmPlan, piece: Piece) -> _Shown:
        if piece.scene is None:
            still, _ = slide(np.random.default_rng(piece.seed), plan.inner_size)
            return cls(piece, None, still, ())
        return cls(piece, Stage(piece.scene, plan.inner_size), None, _lettering(plan, piece))

    def picture(self, plan: FilmPlan, number: int, time_s: float) -> Image:
        """The frame `number` of the piece with its text, borders and flash."""
        if self.stage is not None:
            picture = self.stage.picture(time_s, number)
        else:
            assert self.still is not None
            picture = self.still.copy()
        for text in self.texts:
            text.write(picture)
        flash = number - self.piece.flash_frame if self.piece.flash_frame is not None else -1
        if 0 <= flash < len(FLASH_WEIGHTS):
            picture = fade_to(picture, FLASH_WEIGHTS[flash], 255)
        return bordered(picture, *plan.border)


def _lettering(plan: FilmPlan, piece: Piece) -> tuple[Lettering, ...]:
    """The texts of a piece, placed inside the borders."""
    rng = np.random.default_rng((piece.seed, 3))
    return tuple(place_text(kind, rng, plan.inner_size) for kind in piece.texts)


def _join(plan: FilmPlan, frame: int, pictures: Sequence[tuple[int, Image]]) -> Image:
    """The one picture shown, or the mixture of two."""
    if len(pictures) == 1:
        return pictures[0][1]
    (number, old), (_, new) = pictures
    join = plan.joins[number]
    progress = (frame - plan.starts[number + 1] + 1) / (join.num_frames + 1)
    return mix(old, new, progress, join.kind, join.detail)


def _edge_fade(plan: FilmPlan, frame: int, picture: Image) -> Image:
    """Black at the first and last frame of a film that fades in and out."""
    if frame < plan.fade_in_frames:
        return fade_to(picture, 1 - frame / plan.fade_in_frames, 0)
    left = plan.num_frames - 1 - frame
    if left < plan.fade_out_frames:
        return fade_to(picture, 1 - left / plan.fade_out_frames, 0)
    return picture


def _cuts(plan: FilmPlan) -> tuple[Cut, ...]:
    cuts = []
    if plan.fade_in_frames:
        cuts.append(Cut.gradual("fade", 0, plan.fade_in_frames, optional=True, detail="from black"))
    for join, start in zip(plan.joins, plan.starts[1:], strict=True):
        if join.kind == "hard":
            cuts.append(Cut.hard(start))
        else:
            cuts.append(Cut.gradual(join.kind, start, start + join.num_frames, detail=join.detail))
    if plan.fade_out_frames:
        end = plan.num_frames
        cuts.append(Cut.gradual("fade", end - plan.fade_out_frames, end, optional=True, detail="to black"))
    return tuple(cuts)


def _shot_truth(plan: FilmPlan, piece: Piece, bare: ShotTruth) -> ShotTruth:
    side, top = plan.border
    crop = Crop(side, top, *plan.inner_size) if side or top else None
    if piece.scene is None:
        _, boxes = slide(np.random.default_rng(piece.seed), plan.inner_size)
    else:
        boxes = tuple(text.box for text in _lettering(plan, piece))
    boxes = tuple(replace(box, x=box.x + side, y=box.y + top) for box in boxes)
    if piece.scene is None:
        return replace(bare, kind="slide", scene_key=f"slide-{piece.seed}", crop=crop, text=boxes)
    scene = piece.scene
    key = f"{scene.seed}-{'-'.join(thing.color + thing.shape for thing in scene.things)}"
    return replace(bare, scene_key=key, crop=crop, text=boxes, captions=caption(scene), held_out=scene.held_out)
