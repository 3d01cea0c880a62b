"""What a selection and a search for duplicates are worth against exact truth: precision and recall, by kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.demo.compare import Tally, crop_error_px
from infra.demo.defects import CLEAN, KINDS
from infra.demo.truth import CopyOf, Crop, FilmTruth

Row = Mapping[str, Any]

LETTERBOX = "letterbox"
CROP_ERROR_PX = 2
"""By which a border crop may be off."""
REASONS: Mapping[str, str] = {
    "text": "text",
    "watermark": "watermark",
    "slideshow": "slideshow",
    "frozen": "freeze",
    "blurred": "blur",
    "black": "black",
    "shaky": "shake",
}
"""The kind of defect that each rule of the preset `default` is there for."""
_LEAST_OVERLAP = 0.5
"""Share of the shorter of two clips that they must have in common to be duplicates for certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One clip about which the selection and the truth disagree."""

    video: str
    start_frame: int
    end_frame: int
    truth: str
    """Kind and sort."""
    found: str
    """The reason, or what is wrong with the crop; empty where it was kept."""


def kind_of(film: FilmTruth, start_frame: int, end_frame: int) -> tuple[str, str]:
    """What most frames of a clip carry: kind and sort; `CLEAN` where no defect has more than half of them."""
    best, sort = 0, (CLEAN, "")
    for defect in film.defects:
        frames = min(end_frame, defect.end_frame) - max(start_frame, defect.start_frame)
        if frames > max(best, 0) and (defect.kind == CLEAN or frames > (end_frame - start_frame) / 2):
            best, sort = frames, (defect.kind, defect.detail)
    return sort


def judge_selection(clips: Iterable[Row], films: Mapping[str, FilmTruth]) -> tuple[dict[str, Tally], list[Mistake]]:
    """Compare reasons with planted defects.

    Args:
        clips: `video` (name of its file), `start_frame, end_frame, crop_x, crop_y, crop_width, crop_height`, and
            `reason` of the selection (None if kept).
        films: Truth by name of file.

    Returns:
        A tally for each kind, and all mistakes. A reason that is no kind's (`duplicate`, `short`) counts against
        none, but leaves a defect missed.
    """
    tallies = dict.fromkeys(KINDS, Tally())
    mistakes = []
    for clip in clips:
        film = films[clip["video"]]
        kind, sort = kind_of(film, clip["start_frame"], clip["end_frame"])
        found = REASONS.get(clip["reason"] or "", "")
        for name in KINDS:
            if name != LETTERBOX:
                tallies[name] += Tally(
                    int(name == kind == found), int(name == found != kind), int(name == kind != found)
                )
        border = _judge_crop(clip, film)
        tallies[LETTERBOX] += border
        wrong = (kind if kind in KINDS and kind != LETTERBOX else "") != found
        if wrong or border.misses or border.false_alarms:
            said = str(clip["reason"] or "") if wrong else f"crop {_crop(clip)}"
            span = {"start_frame": clip["start_frame"], "end_frame": clip["end_frame"]}
            mistakes.append(Mistake(video=clip["video"], truth=f"{kind} ({sort})", found=said, **span))
    return tallies, mistakes


def _crop(clip: Row) -> Crop:
    return Crop(clip["crop_x"], clip["crop_y"], clip["crop_width"], clip["crop_height"])


def _judge_crop(clip: Row, film: FilmTruth) -> Tally:
    """A border counts as found where the crop takes it off to within `CROP_ERROR_PX`."""
    middle = (clip["start_frame"] + clip["end_frame"]) // 2
    true = next((shot.crop for shot in film.shots if shot.start_frame <= middle < shot.end_frame), None)
    size = (film.width, film.height)
    crop = _crop(clip)
    is_right = crop_error_px(crop, true, size) <= CROP_ERROR_PX
    takes_off = crop_error_px(crop, None, size) > CROP_ERROR_PX
    return Tally(
        int(true is not None and is_right), int(takes_off and not is_right), int(true is not None and not is_right)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpan:
    """A clip in the time of the video that its pictures come from."""

    clip_id: str
    source: str
    how: str
    """The transform; empty for the source itself."""
    start_s: float
    end_s: float

    @classmethod
    def of(cls, clip: Row, copies: Mapping[str, CopyOf]) -> SourceSpan:
        """Place a clip, which has `clip_id, video, start_s, end_s`; times count from the video's first frame."""
        copy = copies.get(clip["video"])
        if copy is None:
            span = {"source": clip["video"], "how": "", "start_s": clip["start_s"], "end_s": clip["end_s"]}
        else:
            start_s, end_s = (copy.start_s + copy.speed * clip[name] for name in ("start_s", "end_s"))
            span = {"source": copy.source, "how": copy.how, "start_s": start_s, "end_s": end_s}
        return cls(clip_id=clip["clip_id"], **span)

    def common_s(self, other: SourceSpan) -> float:
        """How long both show the same of one source, in seconds; 0 where they do not."""
        if self.source != other.source:
            return 0.0
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def is_same(self, other: SourceSpan) -> bool:
        """Whether half of the shorter of the two is in both."""
        shorter_s = min(self.end_s - self.start_s, other.end_s - other.start_s)
        return self.common_s(other) >= _LEAST_OVERLAP * shorter_s


def judge_duplicates(spans: Sequence[SourceSpan], duplicate_of: Mapping[str, str]) -> dict[str, Tally]:
    """Compare found duplicates with the transforms that made them.

    A clip of a copy is found where it and a clip of the source that shows the same stay or go with the same third: in
    one group, whichever of them is kept. A row of `duplicates` is wrong where its two clips show nothing in common;
    rows of sources count under the empty name.

    Args:
        spans: Every clip of sources and copies.
        duplicate_of: The clip that stays, by clip that goes.
    """
    by_id = {span.clip_id: span for span in spans}
    sources = defaultdict(list)
    for span in spans:
        if not span.how:
            sources[span.source].append(span)
    tallies: dict[str, Tally] = defaultdict(Tally)
    for span in spans:
        kept = duplicate_of.get(span.clip_id)
        if kept is not None and (kept not in by_id or not span.common_s(by_id[kept])):
            tallies[span.how] += Tally(false_alarms=1)
        same = [other for other in sources[span.source] if span.how and span.is_same(other)]
        if same:
            group = _group(span.clip_id, duplicate_of)
            found = any(_group(other.clip_id, duplicate_of) == group for other in same)
            tallies[span.how] += Tally(hits=int(found), misses=int(not found))
    return dict(tallies)


def _group(clip_id: str, duplicate_of: Mapping[str, str]) -> str:
    """The clip that stays for this one in the end."""
    seen = set()
    while clip_id in duplicate_of and clip_id not in seen:
        seen.add(clip_id)
        clip_id = duplicate_of[clip_id]
    return clip_id
