"""Everything the dataset knows of one clip, in one place."""

from __future__ import annotations

import difflib
import re
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from infra.inspect.sql import score_columns, score_doc, score_tables
from infra.inspect.text import hours, json_value, number, size, visible
from pipeline.dataset import Dataset
from pipeline.previews import read_previews
from pipeline.views import view_name
from schemas import ConfigError

_FEW = 5
_MOST_COPIES = 50
_MAX_TEXT = 2000
"""Characters of a text from outside on a terminal."""
_ID = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Score:
    """One number of a clip."""

    name: str
    scorer: str
    value: Any
    meaning: str
    """As the table's schema tells it; empty where it does not."""
    rank: float | None
    """The share of the dataset's clips whose value is lower, 0 to 1; None where there is no number."""


@dataclass(frozen=True, slots=True)
class ClipStory:
    """One clip from its source file to its captions."""

    clip: dict[str, Any]
    """Its row in `clips`."""
    video: dict[str, Any]
    """Its video's row in `videos`; empty where there is none."""
    files: list[dict[str, Any]]
    """The rows of `files` with this content."""
    shot: dict[str, Any]
    """Its shot's row in `shots`; empty where there is none."""
    selection: dict[str, Any]
    """Its row in `selection`: kept or not, and why; empty where nothing was selected yet."""
    duplicate: dict[str, Any]
    """Its row in `duplicates`: the clip that stays in its place; empty where it is none."""
    stays_for: list[dict[str, Any]]
    """The rows of `duplicates` of the clips that it stays for, at most 50 of them."""
    bucket: dict[str, Any]
    """Its row in `buckets`; empty where it has none."""
    labels: list[dict[str, Any]]
    """What reviewers say of it."""
    scores: list[Score]
    captions: list[dict[str, Any]]
    preview_tar: str
    previews: list[str]
    """The members of the tar that show this clip."""

    def to_json(self) -> dict[str, Any]:
        """The story as a JSON object."""
        return asdict(self)


def tell(db: duckdb.DuckDBPyConnection, dataset: Dataset, wanted: str) -> ClipStory:
    """Find a clip by its id, or by the id's beginning, and tell its story.

    Args:
        db: From `infra.inspect.sql.open_views`.
        dataset: Where the previews lie.
        wanted: The id, or as much of its beginning as tells it from all others.

    Raises:
        ConfigError: There is no such clip, or more than one.
    """
    clip = _only(_rows(db, "SELECT * FROM clips WHERE clip_id = ?", _resolve(db, wanted)))
    clip_id, video_id = clip["clip_id"], clip["video_id"]
    shot_index = clip["shot_index"]
    shots = _rows(db, "SELECT * FROM shots WHERE video_id = ? AND shot_index = ?", video_id, shot_index)
    videos = _rows(db, "SELECT * FROM videos WHERE video_id = ?", video_id)
    return ClipStory(
        clip=clip,
        video=_first(videos),
        files=_rows(
            db,
            "SELECT uri, num_bytes, license, source_url, title, caption FROM files WHERE video_id = ? ORDER BY uri",
            video_id,
        ),
        shot=_first(shots),
        selection=_first(_rows(db, "SELECT * EXCLUDE (clip_id, video_id) FROM selection WHERE clip_id = ?", clip_id)),
        duplicate=_first(_rows(db, "SELECT * EXCLUDE (clip_id, video_id) FROM duplicates WHERE clip_id = ?", clip_id)),
        stays_for=_rows(
            db,
            "SELECT clip_id, method, similarity, offset_s FROM duplicates WHERE duplicate_of = ? "
            f"ORDER BY clip_id LIMIT {_MOST_COPIES}",
            clip_id,
        ),
        bucket=_first(_rows(db, "SELECT * EXCLUDE (clip_id, video_id) FROM buckets WHERE clip_id = ?", clip_id)),
        labels=_rows(
            db,
            "SELECT reviewer, good, note, created_at::VARCHAR AS created_at FROM labels WHERE clip_id = ? ORDER BY ALL",
            clip_id,
        ),
        scores=[score for table in score_tables() for score in _scores(db, table, clip_id)],
        captions=_rows(
            db,
            "SELECT kind, caption_set, text, outcome, model_id, flags, alignment FROM captions WHERE clip_id = ? "
            "ORDER BY ALL",
            clip_id,
        ),
        preview_tar=dataset.preview_path(video_id),
        previews=[name for name, _ in read_previews(dataset, video_id) if name.startswith(f"{clip_id}.")],
    )


def story_text(story: ClipStory) -> str:
    """The story for a terminal, in which what comes from outside can move nothing."""
    clip, video = story.clip, story.video
    base = f"{clip['time_base_num']}/{clip['time_base_den']}"
    length = hours(clip["end_s"] - clip["start_s"])
    lines = [f"clip      {clip['clip_id']}"]
    for file in story.files:
        lines.append(f"source    {file['uri']}  ({size(file['num_bytes'])})")
        lines += [f"          {key}: {_cut(file[key])}" for key in ("title", "license", "source_url") if file[key]]
    lines.append(f"video     {clip['video_id']}" + (f"  {_describe(video)}" if video else ""))
    if story.shot:
        shot = story.shot
        lines.append(
            f"shot      {clip['shot_index']}: frames [{shot['start_frame']}, {shot['end_frame']}), "
            f"{shot['transition_in']} -> {shot['transition_out']}, found by {shot['detector']}"
        )
    lines += [
        f"span      {clip['start_s']:.3f} s to {clip['end_s']:.3f} s ({length})",
        f"          PTS [{clip['start_pts']}, {clip['end_pts']}) of {base} s",
        f"          frames [{clip['start_frame']}, {clip['end_frame']}), {clip['num_frames']} in all",
        f"edges     {clip['transition_in']} -> {clip['transition_out']}",
        f"picture   {clip['width']}x{clip['height']}{_crop(clip)}",
        *_verdict(story.selection),
        *_copies(story),
        *_bucket(story.bucket),
    ]
    for label in story.labels:
        note = f": {label['note']}" if label["note"] else ""
        lines.append(f"label     {'good' if label['good'] else 'bad'}, says {label['reviewer']}{note}")
    width = max((len(score.name) for score in story.scores), default=0)
    for score in story.scores:
        rank = "" if score.rank is None else f"above {100 * score.rank:.0f} % of clips"
        line = f"score     {score.name:{width}}  {_value(score.value):>9}  {rank:20} {score.meaning}"
        lines.append(line.rstrip())
    for caption in story.captions:
        origin = caption["model_id"] or "with the footage"
        aligned = "" if caption["alignment"] is None else f", alignment {number(caption['alignment'])}"
        told = caption["outcome"] if caption["text"] is None else _cut(caption["text"])
        lines.append(f"caption   {caption['kind']} ({origin}{aligned}): {told}")
    lines.append(f"previews  {', '.join(story.previews) or 'none'}")
    lines.append(f"          in {story.preview_tar}")
    return "\n".join(map(visible, lines))


def _verdict(row: dict[str, Any]) -> list[str]:
    if not row:
        return ["selection not selected yet"]
    if row["kept"]:
        return ["selection kept"]
    value, limit = row["score_value"], row["threshold"]
    told = "" if value is None else f", value {number(value)}"
    told += "" if limit is None else f", limit {number(limit)}"
    return [f"selection dropped: {_cut(row['reason'] or 'unknown')}{told}"]


def _copies(story: ClipStory) -> list[str]:
    def how(row: dict[str, Any]) -> str:
        likeness = "" if row["similarity"] is None else f", similarity {number(row['similarity'])}"
        offset = "" if row["offset_s"] is None else f", offset {row['offset_s']:+.2f} s"
        return f"({row['method'] or 'unknown'}{likeness}{offset})"

    lines = [f"duplicate of {story.duplicate['duplicate_of']} {how(story.duplicate)}"] if story.duplicate else []
    return lines + [f"stays for {row['clip_id']} {how(row)}" for row in story.stays_for]


def _bucket(row: dict[str, Any]) -> list[str]:
    if not row:
        return []
    step = "every frame" if row["frame_step"] == 1 else f"one frame in {row['frame_step']}"
    known = row["frame_rate_num"] and row["frame_rate_den"]
    rate = f" at {row['frame_rate_num'] / row['frame_rate_den']:.6g} frames/s" if known else ""
    tokens = f", {row['num_tokens']:,} tokens" if row["num_tokens"] is not None else ""
    return [f"bucket    {row['width']}x{row['height']}, {row['frames']} frames{rate} ({step}){tokens}"]


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}… ({len(text):,} characters; --json has all)"


def _resolve(db: duckdb.DuckDBPyConnection, wanted: str) -> str:
    text = wanted.strip().lower()
    found = [row[0] for row in _query(db, _FIND, text)] if _ID.fullmatch(text) else []
    if len(found) == 1:
        return str(found[0])
    if found:
        some = ", ".join(found[:_FEW]) + (", …" if len(found) > _FEW else "")
        number_of = f"{_FEW} or more" if len(found) > _FEW else f"{len(found)}"
        raise ConfigError(f"--clip {wanted}: {number_of} clips begin so: {some}")
    # The other ids that begin nearly so, as long as what was written.
    others = {row[0][: len(text)]: row[0] for row in _query(db, _NEAR, text[:4])}
    near = difflib.get_close_matches(text, others, n=1)
    hint = f"; did you mean {others[near[0]]}?" if near else ""
    raise ConfigError(f"--clip {wanted}: there is no clip whose id begins so{hint}")


_FIND = f"SELECT clip_id FROM clips WHERE starts_with(clip_id, ?) ORDER BY clip_id LIMIT {_FEW + 1}"
_NEAR = "SELECT clip_id FROM clips WHERE starts_with(clip_id, ?) ORDER BY clip_id LIMIT 1000"


def _scores(db: duckdb.DuckDBPyConnection, table: str, clip_id: str) -> list[Score]:
    view = view_name(table)
    row = _first(_rows(db, f"SELECT * FROM {view} WHERE clip_id = ?", clip_id))
    scores = []
    for column in score_columns(db, view):
        value = row.get(column.name)
        rank = None
        if column.is_number and value is not None:
            name = f'"{column.name}"'
            below = _query(db, f"SELECT count(*) FILTER ({name} < ?) / count({name}) FROM {view}", value)
            rank = below[0][0]
        doc = score_doc(table, column.name)
        scores.append(Score(column.name, table.removeprefix("scores/"), value, doc, rank))
    return scores


def _describe(video: dict[str, Any]) -> str:
    if video["is_image"]:
        return f"still image {video['width']}x{video['height']} {video['codec']}"
    rate = video["frame_rate_num"] and f"{video['frame_rate_num'] / video['frame_rate_den']:.6g} frames/s"
    parts = [f"{video['width']}x{video['height']}", video["codec"], video["pixel_format"], rate]
    parts += ["variable frame rate" if video["is_vfr"] else "", hours(video["duration_s"])]
    parts += [f"turned {video['rotation_deg']}°" if video["rotation_deg"] else ""]
    parts += [f"{video['num_bad_packets']} bad packets" if video["num_bad_packets"] else ""]
    return ", ".join(str(part) for part in parts if part)


def _crop(clip: dict[str, Any]) -> str:
    if clip["crop_width"] is None:
        return ""
    x, y, width, height = (clip[f"crop_{name}"] for name in ("x", "y", "width", "height"))
    if (x, y, width, height) == (0, 0, clip["width"], clip["height"]):
        return ", no border"
    return f", without its border {width}x{height} at ({x}, {y})"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value):,} numbers"
    return number(value) if value is None or isinstance(value, float) else str(value)


def _query(db: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[Any]:
    return db.execute(sql, list(values)).fetchall()


def _rows(db: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[dict[str, Any]]:
    cursor = db.execute(sql, list(values))
    names = [column[0] for column in cursor.description]
    return [{name: json_value(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _first(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return rows[0] if rows else {}


def _only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(rows) == 1
    return rows[0]
