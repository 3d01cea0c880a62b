"""Score what a pipeline found in films against their truth.

The rule is that of common cut benchmarks: a hard cut must be found within two frames; a gradual transition
counts once, by anything found inside its own frames or within two frames of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from infra.demo.truth import Crop, Cut

TOLERANCE_FRAMES = 2
HARD = "hard"


@dataclass(frozen=True, slots=True)
class FoundShot:
    """One shot as a pipeline reports it, without the frames of its transitions."""

    start_frame: int
    end_frame: int
    transition_in: str = "cut"
    transition_out: str = "cut"


@dataclass(frozen=True, slots=True)
class FoundCut:
    """What lies between two shots."""

    start: int
    """First frame that belongs to the old shot no more."""
    end: int
    """First frame of the new shot."""
    kind: str
    """`hard`, `fade`, `dissolve` or `wipe`."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Hits, false alarms and misses."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(self.hits + other.hits, self.false_alarms + other.false_alarms, self.misses + other.misses)

    @property
    def precision(self) -> float:
        """Hits over all that was found, 0 to 1; 1 where nothing was."""
        found = self.hits + self.false_alarms
        return self.hits / found if found else 1.0

    @property
    def recall(self) -> float:
        """Hits over all that is there, 0 to 1; 1 where there is nothing."""
        there = self.hits + self.misses
        return self.hits / there if there else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1; 1 where there is nothing and nothing was found."""
        total = 2 * self.hits + self.false_alarms + self.misses
        return 2 * self.hits / total if total else 1.0

    def __str__(self) -> str:
        """The counts in words."""
        return f"{self.hits} right, {self.false_alarms} wrong, {self.misses} missed"


@dataclass(frozen=True, slots=True)
class CutScore:
    """How well the cuts of one film, or of many, were found."""

    hard: Tally = Tally()
    """A false alarm counts by the kind that the pipeline gave it."""
    gradual: Tally = Tally()
    recall_by_kind: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(found, there) by kind of cut."""
    num_right_kind: int = 0
    """Hits whose kind was named rightly."""
    num_leaked_frames: int = 0
    """Frames of gradual transitions that lie inside a found shot."""
    num_transition_frames: int = 0

    @property
    def all(self) -> Tally:
        """Hard and gradual together."""
        return self.hard + self.gradual

    @property
    def leak(self) -> float:
        """Share of the frames of gradual transitions that found shots hold, 0 to 1."""
        return self.num_leaked_frames / self.num_transition_frames if self.num_transition_frames else 0.0

    def __add__(self, other: CutScore) -> CutScore:
        """Both films together."""
        kinds = dict(self.recall_by_kind)
        for kind, (found, there) in other.recall_by_kind.items():
            before = kinds.get(kind, (0, 0))
            kinds[kind] = (before[0] + found, before[1] + there)
        return CutScore(
            self.hard + other.hard,
            self.gradual + other.gradual,
            kinds,
            self.num_right_kind + other.num_right_kind,
            self.num_leaked_frames + other.num_leaked_frames,
            self.num_transition_frames + other.num_transition_frames,
        )


def score_shots(cuts: Sequence[Cut], shots: Sequence[FoundShot], tolerance: int = TOLERANCE_FRAMES) -> CutScore:
    """Score the shots found in one film.

    Args:
        cuts: The truth.
        shots: In order of time, without overlap.
        tolerance: How many frames a detection may be off.
    """
    score = score_cuts(cuts, found_cuts(shots), tolerance)
    leaked = there = 0
    for cut in cuts:
        if cut.kind != HARD and not cut.optional:
            there += cut.end - cut.start
            leaked += sum(max(0, min(cut.end, shot.end_frame) - max(cut.start, shot.start_frame)) for shot in shots)
    return CutScore(score.hard, score.gradual, score.recall_by_kind, score.num_right_kind, leaked, there)


def found_cuts(shots: Sequence[FoundShot]) -> list[FoundCut]:
    """What lies between neighbouring shots.

    Raises:
        ValueError: The shots overlap or are out of order.
    """
    found = []
    for old, new in pairwise(shots):
        if new.start_frame < old.end_frame:
            raise ValueError(f"shots overlap: {old} {new}")
        kind = new.transition_in if new.transition_in in ("fade", "dissolve", "wipe") else HARD
        found.append(FoundCut(old.end_frame, new.start_frame, kind))
    return found


def score_cuts(cuts: Sequence[Cut], found: Sequence[FoundCut], tolerance: int = TOLERANCE_FRAMES) -> CutScore:
    """Score the cuts found in one film; each detection serves one hard cut at most.

    Hard cuts choose first, the nearest detection each; then each gradual transition takes all that touch it.
    """
    used: set[int] = set()
    hits = {True: 0, False: 0}
    misses = {True: 0, False: 0}
    kinds: dict[str, tuple[int, int]] = {}
    num_right_kind = 0
    for cut in sorted(cuts, key=lambda cut: (cut.kind != HARD, cut.start)):
        touching = [i for i in _touching(cut, found, tolerance) if i not in used]
        if cut.kind == HARD:
            touching = touching if cut.optional else touching[:1]
        used.update(touching)
        if cut.optional:
            continue
        before = kinds.get(cut.kind, (0, 0))
        kinds[cut.kind] = (before[0] + bool(touching), before[1] + 1)
        (hits if touching else misses)[cut.kind == HARD] += 1
        num_right_kind += any(found[i].kind == cut.kind for i in touching)
    spare = [found[i].kind == HARD for i in range(len(found)) if i not in used]
    return CutScore(
        Tally(hits[True], spare.count(True), misses[True]),
        Tally(hits[False], spare.count(False), misses[False]),
        kinds,
        num_right_kind,
    )


def _touching(cut: Cut, found: Sequence[FoundCut], tolerance: int) -> list[int]:
    """Detections near enough to a cut, the nearest first."""
    if cut.kind == HARD:
        distance = {i: min(abs(one.start - cut.frame), abs(one.end - cut.frame)) for i, one in enumerate(found)}
        near = [i for i in distance if distance[i] <= tolerance]
        return sorted(near, key=lambda i: distance[i])
    low, high = cut.start - tolerance, cut.end + tolerance
    return [i for i, one in enumerate(found) if one.start <= high and one.end >= low]


def total(scores: Iterable[CutScore]) -> CutScore:
    """All films together."""
    result = CutScore()
    for score in scores:
        result += score
    return result


def crop_error_px(found: Crop | None, truth: Crop | None, size: tuple[int, int]) -> int:
    """The largest distance between an edge found and the true one, in pixels.

    Args:
        found: None for the whole frame.
        truth: None for the whole frame.
        size: Width and height of the frame.
    """
    whole = Crop(0, 0, *size)
    one, other = _edges(found or whole), _edges(truth or whole)
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _edges(crop: Crop) -> tuple[int, int, int, int]:
    return crop.x, crop.y, crop.x + crop.width, crop.y + crop.height


def num_clips_across_cuts(cuts: Sequence[Cut], clips: Sequence[tuple[int, int]], tolerance: int = 0) -> int:
    """How many clips `[start_frame, end_frame)` hold frames of two shots.

    Args:
        cuts: The truth.
        clips: In frames.
        tolerance: How many frames of the other shot are overlooked.
    """
    across = 0
    for start, end in clips:
        across += any(start < cut.frame - tolerance and end > cut.frame + tolerance for cut in cuts if not cut.optional)
    return across
