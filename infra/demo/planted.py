"""A handful of films with planted defects and of near-duplicates, put beside the films of a miniature world."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from infra.demo.copies import copy_video
from infra.demo.defect_world import make_planted_film, plan_films
from infra.demo.truth import FilmTruth, WorldTruth
from infra.demo.world import FOOTAGE_FOLDER, Progress

PLANTED_FILE = "planted.json"
_HOW = ("small and cropped", "mirror", "8 % faster", "other frame rate")


def add_planted(
    out: Path | str,
    world: WorldTruth,
    *,
    num_films: int = 3,
    num_copies: int = 2,
    clean_share: int = 0,
    progress: Progress | None = None,
) -> WorldTruth:
    """Put more files into `out/footage`, and what is true of them into `out/planted.json`.

    They are no part of the world's own truth, so what is told of its cuts and crops stays as it is.

    Args:
        out: Where `make_world` put the world.
        world: What it gave.
        num_films: Of five shots with one defect each (those of black stand alone).
        num_copies: Of the world's films.
        clean_share: Shots with nothing wrong for each round of all kinds of defect.
        progress: Called with the name of each file before it is made.
    """
    footage = Path(out) / FOOTAGE_FOLDER
    tell = progress or (lambda name: None)
    films: list[FilmTruth] = []
    for planned in plan_films(world.seed, num_films, clean_share=clean_share):
        tell(planned.name)
        films.append(make_planted_film(planned, footage / planned.name))
    originals = [film for film in world.films if not (film.is_image or film.duplicate_of or film.rotation_deg)]
    for number, film in enumerate(originals[-num_copies:] if num_copies else []):
        how = _HOW[number % len(_HOW)]
        path = footage / f"near_copy_{number:02}_{how.split()[0]}.mp4"
        tell(path.name)
        films.append(_near_copy(footage / film.video, path, how))
    planted = WorldTruth(world.seed, tuple(films))
    planted.save(Path(out) / PLANTED_FILE)
    return planted


def _near_copy(source: Path, path: Path, how: str) -> FilmTruth:
    copy = copy_video(source, path, how)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return FilmTruth(
            video=path.name,
            num_frames=stream.frames,
            width=stream.width,
            height=stream.height,
            frame_rate=stream.average_rate or Fraction(25),
            duplicate_of=source.name,
            duplicate_how=how,
            copy_of=copy,
        )
