"""The miniature world on disk: films, copies of them and still images, with one truth for all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from infra.demo.captions import caption
from infra.demo.draw import Wishes, draw_scene
from infra.demo.encode import Encoding, Image, decode, encode
from infra.demo.film import make_film
from infra.demo.plan import Style
from infra.demo.render import render_shot
from infra.demo.transitions import bordered
from infra.demo.truth import Crop, Cut, FilmTruth, ShotTruth, TextBox, WorldTruth

TRUTH_FILE = "truth.json"
FOOTAGE_FOLDER = "footage"

FORMATS: Mapping[str, tuple[str, Style]] = {
    "plain": (
        "mp4",
        Style(size=(480, 270), rate=Fraction(25), edge_fades=True, encoding=Encoding(audio=True)),
    ),
    "hevc": ("mkv", Style(size=(426, 240), rate=Fraction(24), encoding=Encoding(codec="libx265"))),
    "portrait": (
        "mp4",
        Style(size=(240, 426), rate=Fraction(30), vfr=True, encoding=Encoding(rotation_deg=90)),
    ),
    "wide": (
        "mp4",
        Style(
            size=(512, 288),
            rate=Fraction(24000, 1001),
            border="letterbox",
            encoding=Encoding(codec="libx265", pixel_format="yuv420p10le"),
        ),
    ),
    "hard": (
        "mp4",
        Style(size=(448, 252), rate=Fraction(30), hard=True, duration_s=20.0, gradual_share=0.45),
    ),
    "square": ("mp4", Style(size=(320, 320), rate=Fraction(12), encoding=Encoding(codec="mpeg4"))),
    "web": (
        "webm",
        Style(size=(384, 216), rate=Fraction(30), text_share=0.9, encoding=Encoding(codec="libvpx-vp9")),
    ),
    "old": ("mkv", Style(size=(480, 270), rate=Fraction(30000, 1001), border="pillarbox", gradual_share=0.7)),
    "smooth": ("mp4", Style(size=(384, 216), rate=Fraction(60), duration_s=10.0, hard=True)),
    "slow motion": ("mp4", Style(size=(320, 180), rate=Fraction(120), duration_s=5.0)),
    "scope": ("mkv", Style(size=(478, 200), rate=Fraction(24), vfr=True, encoding=Encoding(full_range=True))),
}
"""By name: the container and the style of the world's films, in the order in which they are made."""

COPIES = ("exact", "resized", "mirrored", "letterboxed", "trimmed")
STILLS = ("png", "jpg")

Progress = Callable[[str], None]


def make_world(
    out: Path | str,
    seed: int = 0,
    *,
    num_films: int = 8,
    num_copies: int = 2,
    num_stills: int = 3,
    scale: float = 1.0,
    split: str = "train",
    progress: Progress | None = None,
) -> WorldTruth:
    """Make footage in `out/footage` and its truth in `out/truth.json`.

    Args:
        out: A folder, made where it is missing; files of the same names are written over.
        seed: Gives the same world, to the byte, every time.
        num_films: Originals; their formats take turns.
        num_copies: Of these films: the first exact, the others re-encoded and changed.
        num_stills: Single pictures.
        scale: On the length of every film.
        split: `train`: shows nothing that is held out; `held_out`: every subject is; `any`.
        progress: Called with the name of each file before it is made.
    """
    out = Path(out)
    footage = out / FOOTAGE_FOLDER
    footage.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda name: None)
    films: list[FilmTruth] = []
    names = list(FORMATS)
    for number in range(num_films):
        container, style = FORMATS[names[number % len(names)]]
        name = f"film_{number:02}_{names[number % len(names)].replace(' ', '_')}.{container}"
        tell(name)
        style = replace(style, duration_s=style.duration_s * scale, split=split)
        films.append(make_film(seed * 1000 + number, footage / name, style))
    originals = [film for film in films if not film.is_vfr and not film.rotation_deg]
    for number in range(num_copies if originals else 0):
        how = COPIES[number % len(COPIES)]
        original = originals[number % len(originals)]
        name = f"copy_{number:02}_{how}{'.mp4' if how != 'exact' else Path(original.video).suffix}"
        tell(name)
        films.append(copy_film(original, footage / original.video, footage / name, how))
    for number in range(num_stills):
        name = f"still_{number:02}.{STILLS[number % len(STILLS)]}"
        tell(name)
        films.append(make_still(seed * 1000 + 500 + number, footage / name, split=split))
    truth = WorldTruth(seed, tuple(films))
    truth.save(out / TRUTH_FILE)
    return truth


def make_still(seed: int, path: Path | str, *, size: tuple[int, int] | None = None, split: str = "train") -> FilmTruth:
    """Write one picture of a scene; the ending of the path names the format.

    Raises:
        ValueError: The format cannot be written.
    """
    rng = np.random.default_rng(seed)
    size = size or ((512, 384), (640, 360), (384, 512))[int(rng.integers(3))]
    scene = draw_scene(rng, 1.0, size[0] / size[1], Wishes(camera="static", motion="still", event="none", split=split))
    picture = next(render_shot(scene, size, [0.0]))
    path = Path(path)
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise ValueError(f"cannot write {path}")
    shot = ShotTruth(
        start_frame=0,
        end_frame=1,
        start_s=0.0,
        end_s=0.0,
        transition_in="edge",
        transition_out="edge",
        scene_key=f"{scene.seed}",
        captions=caption(scene),
        held_out=scene.held_out,
    )
    return FilmTruth(
        video=path.name,
        num_frames=1,
        width=size[0],
        height=size[1],
        frame_rate=Fraction(25),
        codec=path.suffix[1:],
        is_image=True,
        shots=(shot,),
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """What a copy does to a picture of a size."""

    size: tuple[int, int]
    crop: Crop | None
    first_frame: int
    mirrored: bool

    @classmethod
    def of(cls, original: FilmTruth, how: str) -> _Change:
        width, height = original.width, original.height
        match how:
            case "reencoded":
                return cls((width, height), None, 0, False)
            case "resized":
                return cls((round(width * 0.375) * 2, round(height * 0.375) * 2), None, 0, False)
            case "mirrored":
                return cls((width, height), None, 0, True)
            case "letterboxed":
                bar = max(8, round(0.06 * height) * 2)
                return cls((width, height + 2 * bar), Crop(0, bar, width, height), 0, False)
            case "trimmed":
                first = original.shots[0]
                return cls((width, height), None, (first.start_frame + first.end_frame) // 2, False)
        raise ValueError(f"no copy {how!r}; there are {COPIES} and 'reencoded'")

    def apply(self, picture: Image) -> Image:
        """The picture of the copy."""
        if self.mirrored:
            return np.ascontiguousarray(picture[:, ::-1])
        if self.crop is not None:
            return bordered(picture, 0, self.crop.y)
        if self.size != (picture.shape[1], picture.shape[0]):
            return np.asarray(cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA), np.uint8)
        return picture


def copy_film(original: FilmTruth, source: Path, path: Path, how: str) -> FilmTruth:
    """Write a copy of a film.

    Args:
        original: Its truth; neither of varying rate nor turned.
        source: Where it lies.
        path: Where the copy goes.
        how: `exact`, `reencoded`, `resized`, `mirrored`, `letterboxed` or `trimmed` (starts later).

    Raises:
        ValueError: The rate of the original varies, or there is no such copy.
    """
    if how == "exact":
        shutil.copyfile(source, path)
        return replace(original, video=path.name, duplicate_of=original.video, duplicate_how=how)
    if original.is_vfr or original.rotation_deg:
        raise ValueError(f"cannot copy {original.video}: its rate varies or it is turned")
    change = _Change.of(original, how)
    encode(path, _changed(source, change), Encoding(frame_rate=original.frame_rate, options={"crf": "26"}))
    first = change.first_frame
    shots = tuple(_shot_of_copy(shot, original, change) for shot in original.shots if shot.end_frame > first)
    return replace(
        original,
        video=path.name,
        num_frames=original.num_frames - first,
        width=change.size[0],
        height=change.size[1],
        codec="libx264",
        cuts=tuple(_later(cut, first) for cut in original.cuts if cut.start > first),
        shots=shots,
        flashes=tuple((start - first, end - first) for start, end in original.flashes if start >= first),
        duplicate_of=original.video,
        duplicate_how=how,
    )


def _changed(source: Path, change: _Change) -> Iterator[Image]:
    for index, picture in enumerate(decode(source)):
        if index >= change.first_frame:
            yield change.apply(picture)


def _later(cut: Cut, first: int) -> Cut:
    return replace(cut, frame=cut.frame - first, start=cut.start - first, end=cut.end - first)


def _shot_of_copy(shot: ShotTruth, original: FilmTruth, change: _Change) -> ShotTruth:
    """A shot as the copy shows it; a mirrored one has no captions, since left is right there."""
    first = change.first_frame
    delay_s = float(first / original.frame_rate)
    starts_inside = shot.start_frame < first
    bordered = shot.crop is not None or change.crop is not None
    whole = Crop(0, 0, original.width, original.height)
    return replace(
        shot,
        start_frame=max(shot.start_frame - first, 0),
        end_frame=shot.end_frame - first,
        start_s=max(shot.start_s - delay_s, 0.0),
        end_s=shot.end_s - delay_s,
        transition_in="edge" if starts_inside else shot.transition_in,
        crop=_moved(shot.crop or whole, original, change) if bordered else None,
        text=tuple(_moved_box(box, original, change) for box in shot.text),
        captions=None if change.mirrored else shot.captions,
    )


def _moved(area: Crop, original: FilmTruth, change: _Change) -> Crop:
    """Where an area of the original lies in the copy."""
    if change.crop is not None:
        return replace(area, y=area.y + change.crop.y)
    if change.mirrored:
        return replace(area, x=original.width - area.x - area.width)
    sx, sy = change.size[0] / original.width, change.size[1] / original.height
    x0, y0 = round(area.x * sx), round(area.y * sy)
    return Crop(x0, y0, round((area.x + area.width) * sx) - x0, round((area.y + area.height) * sy) - y0)


def _moved_box(box: TextBox, original: FilmTruth, change: _Change) -> TextBox:
    area = _moved(Crop(box.x, box.y, box.width, box.height), original, change)
    return replace(box, x=area.x, y=area.y, width=area.width, height=area.height)
