"""Many videos judged side by side: the model's, the world's own footage as the ceiling, and what sets the floor."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from infra.evaluate.asked import Asked, read_prompt
from infra.evaluate.files import read_video
from infra.evaluate.films import Film, Frames
from infra.evaluate.sight import Sight, look
from infra.evaluate.verdicts import ADHERENCE, CONSISTENCY, judge

T = TypeVar("T")
Say = Callable[[str], None]

MADE, CEILING, FLOOR = "made", "ceiling", "floor"
JUDGE_VERSION = 2
"""Raised by one when a verdict on the same frames changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One verdict on one video."""

    source: str
    """`made`, `ceiling` (rendered footage), or `floor` (a wrong prompt; for consistency footage cut in two)."""
    film: str
    prompt: str
    aspect: str
    score: float
    asked: str
    seen: str
    group: str
    width: int
    height: int
    ratio: str
    """The picture's aspect."""
    num_frames: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A video and what is known of it."""

    name: str
    prompt: str
    size: tuple[int, int]
    num_frames: int
    group: str = ""
    ratio: str = ""

    @classmethod
    def of(cls, film: Film) -> Shown:
        """What is known of a film."""
        return cls(film.name, film.prompt, film.size, film.num_frames, film.group.value, film.aspect)


def ceiling_and_floor(films: Sequence[Film], num_shuffles: int, workers: int, say: Say) -> list[Row]:
    """The verdicts on the world's own footage of films: with their prompts, with wrong ones, and cut in two.

    Args:
        films: At least two.
        num_shuffles: Wrong prompts for each; none with 0.
        workers: Processes.
        say: Told of the progress.
    """
    shown = [Shown.of(film) for film in films]
    sights = in_processes(_look_rendered, films, workers, say, "footage")
    rows = rows_of(CEILING, shown, sights)
    rows += shuffled(shown, sights, num_shuffles, ADHERENCE)
    pairs = list(zip(films, _others(films), strict=True))
    cut = in_processes(_look_spliced, pairs, workers, say, "footage cut in two")
    rows += [row for row in rows_of(FLOOR, shown, cut) if row.aspect in CONSISTENCY]
    return rows


def shuffled(shown: Sequence[Shown], sights: Sequence[Sight], num: int, aspects: Iterable[str]) -> list[Row]:
    """The verdicts on videos against the prompts of other ones."""
    kept = set(aspects)
    rows: list[Row] = []
    asked = [read_prompt(one.prompt) for one in shown]
    # Not one after the other: neighbours are of other sizes and wordings.
    most = len(shown) - 1
    for step in np.unique(np.linspace(1, most, min(num, most)).astype(int)) if most > 0 else ():
        for index, one in enumerate(shown):
            wrong = asked[(index + int(step)) % len(shown)]
            rows += [row for row in _rows(FLOOR, one, wrong, sights[index]) if row.aspect in kept]
    return rows


def rows_of(source: str, shown: Sequence[Shown], sights: Sequence[Sight]) -> list[Row]:
    """The verdicts on videos against their own prompts."""
    return [
        row
        for one, sight in zip(shown, sights, strict=True)
        for row in _rows(source, one, read_prompt(one.prompt), sight)
    ]


def _rows(source: str, shown: Shown, asked: Asked, sight: Sight) -> Iterator[Row]:
    for verdict in judge(asked, sight):
        yield Row(
            source=source,
            film=shown.name,
            prompt=asked.prompt,
            aspect=verdict.aspect,
            score=verdict.score,
            asked=verdict.asked,
            seen=verdict.seen,
            group=shown.group,
            width=shown.size[0],
            height=shown.size[1],
            ratio=shown.ratio,
            num_frames=shown.num_frames,
        )


def in_processes(task: Callable[[T], Any], items: Sequence[T], workers: int, say: Say, what: str) -> list[Any]:
    """A task done on each of many, in their order; in this process where one is enough.

    Args:
        task: Can be sent to another process.
        items: What it is done on.
        workers: Processes.
        say: Told of the progress.
        what: What the items are called.
    """
    done = []
    if workers == 1 or len(items) < 4:
        for item in items:
            done.append(task(item))
            say(f"{what}: {len(done)} of {len(items)} judged")
        return done
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(items)), mp_context=context) as pool:
        for found in pool.map(task, items):
            done.append(found)
            say(f"{what}: {len(done)} of {len(items)} judged")
    return done


def look_file(item: tuple[Path, float | None]) -> Sight:
    """See what there is in a video file; its own rate where none is given."""
    frames, rate = read_video(item[0], item[1])
    return _look(frames, rate)


def _look(frames: Frames, rate: float) -> Sight:
    # Processes take turns on the cores already.
    cv2.setNumThreads(1)
    return look(frames, rate)


def _look_rendered(film: Film) -> Sight:
    return _look(film.rendered(), film.rate)


def _look_spliced(pair: tuple[Film, Film]) -> Sight:
    film, other = pair
    half = film.num_frames // 2
    return _look(np.concatenate([film.rendered()[:half], other.rendered()[half:]]), film.rate)


def _others(films: Sequence[Film]) -> list[Film]:
    """For each film another one's scene, at its own size and length."""
    return [
        replace(film, scene=replace(films[(index + 1) % len(films)].scene, aspect=film.scene.aspect))
        for index, film in enumerate(films)
    ]
