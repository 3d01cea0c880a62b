"""Film strips: which clips a page shows, and their previews as small inlined pictures."""

from __future__ import annotations

import base64
import re
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from infra.inspect.histogram import Distribution
from pipeline.dataset import Dataset
from pipeline.previews import read_previews

FRAMES_A_STRIP = 3
_THUMB_HEIGHT_PX = 160
_THUMB_WIDTH_PX = 320
_JPEG_QUALITY = 74
_MAX_PREVIEW_BYTES = 4 * 2**20
"""A preview longer than this is not ours: ours have about 512 px and 40 kB."""
_CANDIDATES = 64
"""Rows from which a few of different videos are chosen."""
_NO_ROOM = "left out to keep the page small"
_MANY = 100 * _CANDIDATES
_MEMBER = re.compile(r"([0-9a-f]{32})\.(\d+)\.jpg")


@dataclass(frozen=True, slots=True)
class Strip:
    """One clip as a few pictures and a line of text."""

    clip: dict[str, Any]
    """Its row in `clips`, with `uri` and `caption`."""
    scores: dict[str, float]
    """Its numeric scores that are known."""
    pictures: tuple[str, ...]
    """`data:` URIs of JPEG pictures, in order of time."""
    missing: str
    """Why there are no pictures; empty where there are."""


@dataclass(frozen=True, slots=True)
class Extremes:
    """Clips at both ends and in the middle of one score, as ids."""

    lowest: tuple[str, ...] = ()
    middle: tuple[str, ...] = ()
    highest: tuple[str, ...] = ()
    is_median: bool = True
    """Whether the middle is the median of all; else that of the clips between both ends."""


def extremes(db: duckdb.DuckDBPyConnection, view: str, column: str, shown: Distribution, *, number: int) -> Extremes:
    """Clips with the lowest, the middle and the highest values, of different videos as far as there are.

    Args:
        db: From `infra.inspect.sql.open_views`.
        view: A scorer's table.
        column: One of its scores.
        shown: How that score is spread.
        number: Clips for each of the three; of few clips, the ends get theirs first.
    """
    if shown.median is None or not number:
        return Extremes()
    name = f'"{column}"::DOUBLE'
    # Sorting a million ids to keep a few is slow; among so many values a hundredth holds enough.
    low, high = (shown.quantiles[1], shown.quantiles[99]) if shown.num_values > _MANY else (None, None)
    middle, below, above = _middle(db, view, name, shown)
    taken: set[str] = set()
    chosen = []
    for order, least, most in (
        (name, None, low),
        (f"{name} DESC", high, None),
        (f"abs({name} - {middle!r})", below, above),
    ):
        limits = [f"{name} >= {least!r}"] * (least is not None) + [f"{name} <= {most!r}"] * (most is not None)
        rows = db.execute(
            f"SELECT clip_id, video_id FROM {view} WHERE {' AND '.join([f'isfinite({name})', *limits])} "
            f"ORDER BY {order}, clip_id LIMIT {_CANDIDATES}"
        ).fetchall()
        chosen.append(_diverse([row for row in rows if row[0] not in taken], number))
        taken.update(chosen[-1])
    return Extremes(lowest=chosen[0], highest=chosen[1], middle=chosen[2], is_median=middle == shown.median)


def _middle(
    db: duckdb.DuckDBPyConnection, view: str, name: str, shown: Distribution
) -> tuple[float, float | None, float | None]:
    """The value to show between both ends, and limits within which there are enough clips with about it.

    Where most clips share the lowest or the highest value, the median shows nothing new; then it is that of
    the rest.
    """
    assert shown.median is not None
    if shown.median in (shown.minimum, shown.maximum):
        inside = f"{name} > {shown.minimum!r} AND {name} < {shown.maximum!r}"
        rest = db.execute(f"SELECT median({name}) FROM {view} WHERE {inside}").fetchall()[0][0]
        return (shown.median if rest is None else rest), None, None
    if shown.num_values > _MANY:
        return shown.median, shown.quantiles[49], shown.quantiles[51]
    return shown.median, None, None


def sample(db: duckdb.DuckDBPyConnection, *, number: int, seed: int) -> tuple[str, ...]:
    """Clips drawn evenly from all, the same ones for the same seed and dataset."""
    rows = db.execute(
        f"SELECT clip_id, video_id FROM clips ORDER BY md5(clip_id || ?), clip_id LIMIT {_CANDIDATES * 4}",
        [str(seed)],
    ).fetchall()
    return _diverse(rows, number)


def load_strips(
    db: duckdb.DuckDBPyConnection, dataset: Dataset, clip_ids: Iterable[str], *, max_bytes: int
) -> dict[str, Strip]:
    """The strips of these clips, each video's pictures read once.

    Args:
        db: From `infra.inspect.sql.open_views`.
        dataset: Where the previews lie.
        clip_ids: Which clips; one named twice is loaded once. The first ones get the room there is.
        max_bytes: What all pictures may take on the page.
    """
    wanted = list(dict.fromkeys(clip_ids))
    clips, scores = _clips(db, wanted), _scores(db, wanted)
    by_video: dict[str, list[str]] = {}
    for clip_id in wanted:
        if clip_id in clips:
            by_video.setdefault(clips[clip_id]["video_id"], []).append(clip_id)
    strips, left = {}, max_bytes
    for video_id, ids in by_video.items():
        pictures, missing = _pictures(dataset, video_id, ids) if left > 0 else ({}, _NO_ROOM)
        for clip_id in ids:
            shown = tuple(pictures.get(clip_id, ()))
            strips[clip_id] = Strip(clips[clip_id], scores.get(clip_id, {}), shown, "" if shown else missing)
            left -= sum(map(len, shown))
    return strips


def link_strips(db: duckdb.DuckDBPyConnection, clip_ids: Iterable[str]) -> dict[str, Strip]:
    """The strips of these clips for a page that a server shows: their pictures are asked for when they are seen."""
    wanted = list(dict.fromkeys(clip_ids))
    clips, scores = _clips(db, wanted), _scores(db, wanted)
    return {
        clip_id: Strip(
            clip, scores.get(clip_id, {}), tuple(map(preview_link(clip_id).format, range(FRAMES_A_STRIP))), ""
        )
        for clip_id, clip in clips.items()
    }


def preview_link(clip_id: str) -> str:
    """Where a server of ours shows a clip's pictures, with a place for their number."""
    return f"preview/{clip_id}/{{}}.jpg"


def shown_pictures(dataset: Dataset, video_id: str, clip_id: str) -> list[bytes]:
    """The previews of a clip that a strip shows, as JPEG bytes in order of time, in full size.

    Raises:
        OSError, tarfile.TarError: They cannot be read.
    """
    found = []
    for name, data in read_previews(dataset, video_id):
        match = _MEMBER.fullmatch(name)
        if match and match[1] == clip_id and len(data) <= _MAX_PREVIEW_BYTES:
            found.append((int(match[2]), data))
    return _spread([data for _, data in sorted(found)])


def _diverse(rows: Sequence[tuple[str, str]], number: int) -> tuple[str, ...]:
    """The first few, one a video before a video's second."""
    seen: dict[str, int] = {}
    turns = []
    for place, (clip_id, video_id) in enumerate(rows):
        seen[video_id] = seen.get(video_id, 0) + 1
        turns.append((seen[video_id], place, clip_id))
    chosen = sorted(turns)[:number]
    return tuple(clip_id for _, _, clip_id in sorted(chosen, key=lambda turn: turn[1]))


def _clips(db: duckdb.DuckDBPyConnection, ids: list[str]) -> dict[str, dict[str, Any]]:
    cursor = db.execute(
        """
        WITH told AS (
            SELECT clip_id,
                arg_min(left(text, 1000), CASE kind WHEN 'dense' THEN 0 WHEN 'short' THEN 1 ELSE 2 END) AS caption
            FROM captions WHERE clip_id IN (SELECT unnest($1)) GROUP BY clip_id
        )
        SELECT clips.*, videos.uri, told.caption
        FROM clips LEFT JOIN videos USING (video_id) LEFT JOIN told USING (clip_id)
        WHERE clips.clip_id IN (SELECT unnest($1))
        """,
        [ids],
    )
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row["clip_id"]: row for row in rows}


def _scores(db: duckdb.DuckDBPyConnection, ids: list[str]) -> dict[str, dict[str, float]]:
    cursor = db.execute("SELECT * FROM scores WHERE clip_id IN (SELECT unnest($1))", [ids])
    names = [column[0] for column in cursor.description]
    return {
        row[0]: {
            name: float(value) for name, value in zip(names[2:], row[2:], strict=True) if isinstance(value, int | float)
        }
        for row in cursor.fetchall()
    }


def _pictures(dataset: Dataset, video_id: str, ids: Iterable[str]) -> tuple[dict[str, list[str]], str]:
    """Pictures by clip, and what to say of a clip that has none."""
    members: dict[str, list[tuple[int, bytes]]] = {clip_id: [] for clip_id in ids}
    try:
        for name, data in read_previews(dataset, video_id):
            match = _MEMBER.fullmatch(name)
            if match and match[1] in members and len(data) <= _MAX_PREVIEW_BYTES:
                members[match[1]].append((int(match[2]), data))
    except (OSError, tarfile.TarError) as error:
        return {}, f"the previews cannot be read: {error}"
    pictures = {}
    for clip_id, found in members.items():
        thumbs = (thumbnail(data) for data in _spread([data for _, data in sorted(found)]))
        pictures[clip_id] = [_data_uri(thumb) for thumb in thumbs if thumb is not None]
    return pictures, "no previews"


def thumbnail(jpeg: bytes) -> bytes | None:
    """A preview made small; None where it is no picture. Only what is coded anew here goes into the page."""
    import cv2

    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if picture is None:
        return None
    height, width = picture.shape[:2]
    scale = min(_THUMB_HEIGHT_PX / height, _THUMB_WIDTH_PX / width, 1.0)
    if scale < 1.0:
        small = (max(round(width * scale), 1), max(round(height * scale), 1))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    coded, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes() if coded else None


def _spread(found: list[bytes]) -> list[bytes]:
    """At most as many as a strip shows, the first and the last among them."""
    if len(found) <= FRAMES_A_STRIP:
        return found
    last = len(found) - 1
    return [found[round(k * last / (FRAMES_A_STRIP - 1))] for k in range(FRAMES_A_STRIP)]


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
