"""What a made film or a made world really holds, as records that go to JSON and back.

Frames are counted in decoded order of presentation, from 0. A transition holds the frames `[start, end)`
that show two shots (or a shot and black) at once: `start` is its first mixed frame and `end` the first clean
frame of the new shot, so both are equal at a hard cut. `frame` is the first frame of the new shot at a hard
cut and the middle of a gradual transition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

KINDS = ("hard", "fade", "dissolve", "wipe")
"""The kinds of cut; all but the first are gradual."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One change from a shot to the next, or from black at the edge of a film."""

    frame: int
    kind: str
    start: int
    end: int
    optional: bool = False
    """Neither a miss nor a false alarm: a fade at the edge of the file."""
    detail: str = ""
    """More on a gradual one: `through black`, `left to right`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.kind not in KINDS:
            raise ValueError(f"a cut is one of {KINDS}, got {self.kind=}")
        if not 0 <= self.start <= self.frame <= self.end:
            raise ValueError(f"need 0 <= start <= frame <= end, got {self}")
        if self.kind == "hard" and self.start != self.end:
            raise ValueError(f"a hard cut lasts no frame, got {self}")

    @classmethod
    def hard(cls, frame: int) -> Cut:
        """A hard cut whose first new frame is `frame`."""
        return cls(frame, "hard", frame, frame)

    @classmethod
    def gradual(cls, kind: str, start: int, end: int, *, optional: bool = False, detail: str = "") -> Cut:
        """A transition over the frames `[start, end)`."""
        return cls((start + end) // 2, kind, start, end, optional, detail)


@dataclass(frozen=True, slots=True)
class Crop:
    """The picture inside black borders, in pixels of the displayed frame."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class TextBox:
    """Text burned into the picture."""

    text: str
    kind: str
    """`subtitle`, `title`, `logo` or `slide`."""
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Captions:
    """True captions of one shot."""

    short: str
    dense: str
    structured: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotTruth:
    """One shot without the frames of its transitions."""

    start_frame: int
    end_frame: int
    start_s: float
    """Time of its first frame after the first frame of the film."""
    end_s: float
    transition_in: str
    """`cut`, `fade`, `dissolve`, `wipe` or `edge`."""
    transition_out: str
    kind: str = "scene"
    """`scene`, or `slide`: a still picture with text."""
    scene_key: str = ""
    """Equal for shots that show the very same scene."""
    crop: Crop | None = None
    """None where the picture fills the frame."""
    text: tuple[TextBox, ...] = ()
    captions: Captions | None = None
    held_out: bool = False
    """Shows a combination of shape, colour and motion that is kept for evaluation."""


@dataclass(frozen=True, slots=True)
class Defect:
    """Frames `[start_frame, end_frame)` of a film that a curator would reject, or that only look like it."""

    kind: str
    """One of `infra.demo.defects.KINDS`, or `none` for a shot that has nothing wrong."""
    detail: str
    """Which sort of it; of a clean shot: what makes it easy to take for a bad one."""
    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class CopyOf:
    """Where a copy's pictures come from: what it shows at `t` the source shows at `start_s + speed * t`."""

    source: str
    """Name of the file."""
    how: str
    """A key of `infra.demo.copies.TRANSFORMS`."""
    start_s: float
    """Span of the source that it shows, after the source's first frame."""
    end_s: float
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmTruth:
    """All that is known of one file."""

    video: str
    """Name of the file."""
    num_frames: int
    width: int
    """As displayed: after rotation and sample aspect ratio."""
    height: int
    frame_rate: Fraction
    """Mean rate of a file whose rate varies."""
    codec: str = "libx264"
    is_vfr: bool = False
    is_image: bool = False
    rotation_deg: int = 0
    cuts: tuple[Cut, ...] = ()
    shots: tuple[ShotTruth, ...] = ()
    flashes: tuple[tuple[int, int], ...] = ()
    """Frames `[start, end)` lit by a flash: no cut."""
    duplicate_of: str | None = None
    duplicate_how: str = ""
    """`exact`, `reencoded`, `resized`, `mirrored`, `letterboxed` or `trimmed`."""
    hard: bool = False
    """Made to be difficult: alike neighbours, fast cameras, low light, flashes."""
    seed: int = 0
    defects: tuple[Defect, ...] = ()
    """In order, without overlap; empty where nobody looked."""
    copy_of: CopyOf | None = None
    """More on a copy, where it is known."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the keys that a cut scorer reads."""
        row = asdict(self)
        row["frame_rate"] = f"{self.frame_rate.numerator}/{self.frame_rate.denominator}"
        row["n_frames"] = self.num_frames
        row["scored"] = True
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> FilmTruth:
        """The record that `to_json` wrote."""
        values = {key: value for key, value in row.items() if key not in ("n_frames", "scored")}
        values["frame_rate"] = Fraction(values["frame_rate"])
        values["cuts"] = tuple(Cut(**cut) for cut in values["cuts"])
        values["shots"] = tuple(_shot(shot) for shot in values["shots"])
        values["flashes"] = tuple((start, end) for start, end in values["flashes"])
        values["defects"] = tuple(Defect(**defect) for defect in values.get("defects", ()))
        values["copy_of"] = CopyOf(**values["copy_of"]) if values.get("copy_of") else None
        return cls(**values)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> FilmTruth:
        """Read what `save` wrote."""
        return cls.from_json(json.loads(path.read_text()))


def _shot(row: Mapping[str, Any]) -> ShotTruth:
    values = dict(row)
    values["crop"] = Crop(**values["crop"]) if values["crop"] else None
    values["text"] = tuple(TextBox(**box) for box in values["text"])
    values["captions"] = Captions(**values["captions"]) if values["captions"] else None
    return ShotTruth(**values)


@dataclass(frozen=True, slots=True)
class WorldTruth:
    """All files of a made world."""

    seed: int
    films: tuple[FilmTruth, ...] = field(default=())
    """Still images and copies included."""

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        row = {"seed": self.seed, "films": [film.to_json() for film in self.films]}
        path.write_text(json.dumps(row, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> WorldTruth:
        """Read what `save` wrote."""
        row = json.loads(path.read_text())
        return cls(row["seed"], tuple(FilmTruth.from_json(film) for film in row["films"]))

    def film(self, video: str) -> FilmTruth:
        """The film of a file's name.

        Raises:
            KeyError: No file has this name.
        """
        for film in self.films:
            if film.video == video:
                return film
        raise KeyError(video)


def shots_between(cuts: tuple[Cut, ...], num_frames: int, times_s: list[float], end_s: float) -> tuple[ShotTruth, ...]:
    """The bare shots that lie between cuts.

    Args:
        cuts: In order, without overlap.
        num_frames: Of the film.
        times_s: Time of each frame after the first.
        end_s: Where the last frame ends.
    """
    edges: list[tuple[int, str]] = [(0, "edge")]
    shots: list[ShotTruth] = []
    marks = [*times_s, end_s]
    for cut in cuts:
        kind = "cut" if cut.kind == "hard" else cut.kind
        start, kind_in = edges[-1]
        if cut.start > start:
            shots.append(
                ShotTruth(
                    start_frame=start,
                    end_frame=cut.start,
                    start_s=marks[start],
                    end_s=marks[cut.start],
                    transition_in=kind_in,
                    transition_out=kind,
                )
            )
        edges.append((cut.end, kind))
    start, kind_in = edges[-1]
    if start < num_frames:
        shots.append(
            ShotTruth(
                start_frame=start,
                end_frame=num_frames,
                start_s=marks[start],
                end_s=end_s,
                transition_in=kind_in,
                transition_out="edge",
            )
        )
    return tuple(shots)
