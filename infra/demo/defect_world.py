"""Films of a few short shots, most with one thing wrong: the ground truth for what a curator throws out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from infra.demo.defects import CLEAN, DETAILS, KINDS, Frame, Take, take_shot
from infra.demo.encode import Encoding, Image, encode
from infra.demo.truth import Cut, Defect, FilmTruth, ShotTruth, TextBox, WorldTruth, shots_between
from infra.demo.world import FOOTAGE_FOLDER, TRUTH_FILE, Progress

SHOTS_A_FILM = 5
_CLEAN_SHARE = 4
"""Clean shots for each round of all kinds."""
_SIZES = ((320, 180), (320, 180), (426, 240), (240, 426), (480, 270), (360, 360), (180, 320), (320, 240), (512, 288))
_RATES = (Fraction(24), Fraction(25), Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(15))
_ENCODINGS = (
    Encoding(),
    Encoding(options={"crf": "26"}),
    Encoding(options={"crf": "23", "preset": "veryfast"}, gop_size=250),
    Encoding(codec="mpeg4", options={"b": "1200000"}, gop_size=12),
    Encoding(codec="libx265", options={"crf": "26"}),
)

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedShot:
    """One shot as it is to be made."""

    kind: str
    """One of `infra.demo.defects.KINDS`, or `CLEAN`."""
    detail: str
    num_frames: int
    seed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFilm:
    """One film as it is to be made."""

    name: str
    size: tuple[int, int]
    rate: Fraction
    shots: tuple[PlantedShot, ...]
    encoding: Encoding = field(default_factory=Encoding)
    seed: int = 0


def make_defect_world(
    out: Path | str,
    seed: int = 0,
    num_films: int = 72,
    *,
    kinds: Sequence[str] = KINDS,
    clean_share: int = _CLEAN_SHARE,
    progress: Progress | None = None,
) -> WorldTruth:
    """Make films with planted defects in `out/footage` and their truth in `out/truth.json`.

    The shots of 72 films are 30 of each kind and 120 clean ones, and take about a minute of one core.

    Args:
        out: A folder, made where it is missing; files of the same names are written over.
        seed: Gives the same films, to the byte, every time.
        num_films: Five shots for each; black ones stand alone, so that there are a few more files.
        kinds: What may be wrong; none for clean films.
        clean_share: Clean shots for each round of all kinds.
        progress: Called with the name of each file before it is made.
    """
    footage = Path(out) / FOOTAGE_FOLDER
    footage.mkdir(parents=True, exist_ok=True)
    films = []
    for film in plan_films(seed, num_films, kinds=kinds, clean_share=clean_share):
        if progress is not None:
            progress(film.name)
        films.append(make_planted_film(film, footage / film.name))
    truth = WorldTruth(seed, tuple(films))
    truth.save(Path(out) / TRUTH_FILE)
    return truth


def plan_films(
    seed: int, num_films: int, *, kinds: Sequence[str] = KINDS, clean_share: int = _CLEAN_SHARE, prefix: str = "planted"
) -> list[PlantedFilm]:
    """Deal kinds and their sorts evenly over films, in random order."""
    rng = np.random.default_rng((seed, 41))
    deck = _deck(num_films * SHOTS_A_FILM, [*kinds, *[CLEAN] * clean_share])
    deck = [deck[place] for place in rng.permutation(len(deck))]
    # Black between two shots is a transition, which no clip holds; a recording of nothing but black is one.
    alone = [[card] for card in deck if card[0] == "black"]
    mixed = [card for card in deck if card[0] != "black"]
    hands = [mixed[start : start + SHOTS_A_FILM] for start in range(0, len(mixed), SHOTS_A_FILM)]
    return [_plan_film(rng, seed, number, hand, prefix) for number, hand in enumerate([*hands, *alone])]


def _deck(num_shots: int, order: Sequence[str]) -> list[tuple[str, str]]:
    """Kinds with their sorts, all equally often."""
    dealt: dict[str, int] = {}
    deck = []
    for number in range(num_shots):
        kind = order[number % len(order)]
        nth = dealt.get(kind, 0)
        dealt[kind] = nth + 1
        deck.append((kind, DETAILS[kind][nth % len(DETAILS[kind])]))
    return deck


def _plan_film(rng: Rng, seed: int, number: int, hand: Sequence[tuple[str, str]], prefix: str) -> PlantedFilm:
    rate = _RATES[int(rng.integers(len(_RATES)))]
    shots = tuple(
        PlantedShot(
            kind=kind,
            detail=detail,
            num_frames=round(float(rng.uniform(1.8, 2.8)) * float(rate)),
            seed=(seed, number, place, 43),
        )
        for place, (kind, detail) in enumerate(hand)
    )
    return PlantedFilm(
        name=f"{prefix}_{number:03}.mp4",
        size=_SIZES[int(rng.integers(len(_SIZES)))],
        rate=rate,
        shots=shots,
        encoding=_ENCODINGS[int(rng.integers(len(_ENCODINGS)))],
        seed=seed,
    )


def make_planted_film(film: PlantedFilm, path: Path) -> FilmTruth:
    """Render and write a film."""
    takes = [_take(film, shot) for shot in film.shots]
    encode(path, _pictures(takes, film.shots), replace(film.encoding, frame_rate=film.rate))
    starts = np.cumsum([0, *(shot.num_frames for shot in film.shots)]).tolist()
    num_frames = starts[-1]
    times_s = [float(number / film.rate) for number in range(num_frames + 1)]
    cuts = tuple(_film_cuts(takes, starts))
    bare = shots_between(cuts, num_frames, times_s[:-1], times_s[-1])
    return FilmTruth(
        video=path.name,
        num_frames=num_frames,
        width=film.size[0],
        height=film.size[1],
        frame_rate=film.rate,
        codec=film.encoding.codec,
        cuts=cuts,
        shots=tuple(_shot_truth(shot, takes, starts) for shot in bare),
        seed=film.seed,
        defects=tuple(
            Defect(shot.kind, shot.detail, start + take.bad[0], start + take.bad[1])
            for shot, take, start in zip(film.shots, takes, starts, strict=False)
        ),
    )


def _take(film: PlantedFilm, shot: PlantedShot) -> Take:
    frame = Frame(size=film.size, rate=film.rate, num_frames=shot.num_frames)
    return take_shot(shot.kind, shot.detail, np.random.default_rng(shot.seed), frame)


def _pictures(takes: Sequence[Take], shots: Sequence[PlantedShot]) -> Iterator[Image]:
    num_frames = 0
    for take, shot in zip(takes, shots, strict=True):
        before = num_frames
        for picture in take.pictures:
            num_frames += 1
            yield picture
        assert num_frames - before == shot.num_frames, f"{shot}: {num_frames - before=}"


def _film_cuts(takes: Sequence[Take], starts: Sequence[int]) -> Iterator[Cut]:
    for take, start in zip(takes, starts, strict=False):
        if start:
            yield Cut.hard(start)
        for cut in take.cuts:
            yield replace(cut, frame=cut.frame + start, start=cut.start + start, end=cut.end + start)


def _shot_truth(bare: ShotTruth, takes: Sequence[Take], starts: Sequence[int]) -> ShotTruth:
    place = int(np.searchsorted(starts, bare.start_frame, side="right")) - 1
    take = takes[place]
    boxes: tuple[TextBox, ...] = take.boxes
    return replace(bare, scene_key=f"{take.scene_key}-{bare.start_frame}", crop=take.crop, text=boxes)
