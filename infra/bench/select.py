"""Ten million clips: what a threshold would change, the funnel, and a selection with its table.

`python -m infra.bench.select TASK DATASET` does one of the tasks in a process of its own and prints its seconds and
its highest resident memory.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from infra.bench.processes import Marked, rss_bytes
from infra.bench.table import Figure
from infra.inspect.funnel import funnel
from infra.inspect.sql import open_views
from infra.inspect.what_if import what_if
from pipeline.dataset import Dataset
from pipeline.selection import wide
from pipeline.stages import select
from pipeline.stages.select import SelectConfig
from schemas import TABLES

CLIPS_A_VIDEO = 10
_PIECES = 40
"""Commits of each table: as many as a run makes between two tidyings."""
_SCORERS = ("scan", "text_area", "aesthetic", "watermark", "faces", "safety")
_RULES = {
    "blurred": "sharpness >= 1",
    "still": "motion_mean >= 0.02",
    "text": "text_area_ratio <= 0.9",
    "watermark": "watermark_score <= 0.9",
    "ugly": "aesthetic >= 1",
    "duplicate": "duplicate_of IS NULL",
}
_OTHER = (
    "blurred=sharpness >= 2",
    "text=text_area_ratio <= 0.8",
    "ugly=aesthetic >= 4",
    "watermark=watermark_score <= 0.5",
)
_CONFIG: dict[str, Any] = {"preset": None, "rules": [{"name": name, "keep": keep} for name, keep in _RULES.items()]}
_SHOTS_WITHOUT_CLIP = 2
"""Of each video, beside those of its clips."""
_ONE_COPY_IN = 20
_SCALES = {"aesthetic": 10, "sharpness": 10}
"""Other scores go from 0 to 1."""
_URI = "'/data/footage/part-' || (v % 100) || '/' || v || '.mp4'"
_SIZE = "[1920, 1280, 720][1 + v % 3]", "[1080, 720, 1280][1 + v % 3]"
_VIDEO = {"width": _SIZE[0], "height": _SIZE[1], "num_frames": "1800", "duration_s": "60.0", "is_image": "false"}
_SHOT = {"start_pts": "k * 76800", "end_pts": "k * 76800 + 74000", "time_base_num": "1", "time_base_den": "12800"}
_CLIP = {
    "start_s": "k * 6.0",
    "end_s": "k * 6.0 + 1 + hash(v, k, 'length') % 50 / 10.0",
    "num_frames": "150 + k",
    "transition_in": "'cut'",
    "crop_width": _SIZE[0],
    "crop_height": _SIZE[1],
}
_RUN_S = 3600.0
_MAX_GIB = 4.0


def measure(cache: Path, num_clips: int = 10_000_000) -> list[Figure]:
    """All figures of a made manifest of so many clips; it is deleted afterwards.

    Args:
        cache: Where the manifest is written: about 9 GB for ten million clips.
        num_clips: Clips, ten of each video.
    """
    root = cache / f"select-{num_clips}"
    shutil.rmtree(root, ignore_errors=True)
    try:
        made, _ = _task("make", root, cache, num_clips)
        built, built_gib = _task("build", root, cache)
        selected, selected_gib = _task("select", root, cache)
        kept = [_task(name, root, cache) for name in ("one", "four", "funnel")]
        joined, joined_gib = _task("four-joined", root, cache)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    many = f"{num_clips:,} clips"
    limits = (("what-if on one scorer", 1.0), ("what-if over four scorers, wide table", 3.0), ("funnel", 3.0))
    figures = [Figure(name=f"{many}: making the manifest", value=made, unit="s")]
    figures += [
        Figure(name=f"{many}: {name}", value=seconds, unit="s", at_most=limit, note=f"{gib:.1f} GiB")
        for (name, limit), (seconds, gib) in zip(limits, kept, strict=True)
    ]
    return [
        *figures,
        Figure(
            name=f"{many}: what-if over four scorers, joined",
            value=joined,
            unit="s",
            note="only until the next run makes the wide table anew",
        ),
        Figure(name=f"{many}: select with its table written", value=selected, unit="s", at_most=30.0),
        Figure(name=f"{many}: making the wide table", value=built, unit="s", note="only where a score has changed"),
        Figure(
            name=f"{many}: highest memory",
            value=max(built_gib, selected_gib, joined_gib, *(gib for _, gib in kept)),
            unit="GiB",
            at_most=_MAX_GIB,
        ),
    ]


def _task(name: str, root: Path, cache: Path, *more: object) -> tuple[float, float]:
    """Seconds and GiB of one task in its own process."""
    command = [sys.executable, "-m", "infra.bench.select", name, str(root), *map(str, more)]
    # Its working folder is another one.
    env = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with Marked(command, cache / "cwd", env) as run:
        run.finish(_RUN_S)
        told = json.loads(run.output.splitlines()[-1])
    return float(told["seconds"]), float(told["gib"])


def make(root: Path, num_clips: int) -> None:
    """Write the tables of a dataset with so many clips, a piece at a time, each scorer's in an order of its own."""
    dataset = Dataset(str(root))
    dataset.create()
    dataset.write_description({"select": _CONFIG}, {})
    videos = max(num_clips // CLIPS_A_VIDEO, _PIECES)
    with duckdb.connect(":memory:") as db:
        db.execute("SET memory_limit = '1500MiB'")
        for piece in range(_PIECES):
            first, last = videos * piece // _PIECES, videos * (piece + 1) // _PIECES
            for table, sql in _statements(first, last):
                dataset.manifest.append(table, db.sql(sql).to_arrow_table())
    dataset.manifest.tidy()


_CLIPS = "FROM range({first}, {last}) v(v), range({each}) k(k)"
_CLIP_ID, _VIDEO_ID = "md5('c' || v || '-' || k)", "md5('v' || v)"


def _statements(first: int, last: int) -> Iterator[tuple[str, str]]:
    """Tables of the videos `[first, last)`, and the SQL of their rows: numbers drawn by hashes, so always the same."""
    videos = f"FROM range({first}, {last}) v(v)"
    clips = _CLIPS.format(first=first, last=last, each=CLIPS_A_VIDEO)
    yield "files", _row("files", videos, {"uri": _URI, "video_id": _VIDEO_ID, "outcome": "'ok'"})
    yield "videos", _row("videos", videos, {"uri": _URI, "video_id": _VIDEO_ID, **_VIDEO})
    shots = _CLIPS.format(first=first, last=last, each=CLIPS_A_VIDEO + _SHOTS_WITHOUT_CLIP)
    yield "shots", _row("shots", shots, {"video_id": _VIDEO_ID, "shot_index": "k", **_SHOT})
    clip = {"clip_id": _CLIP_ID, "video_id": _VIDEO_ID}
    yield "clips", _row("clips", clips, {**clip, "shot_index": "k", **_SHOT, **_CLIP})
    for name in _SCORERS:
        # Workers finish in an order of their own, so no table has its clips in that of another.
        shuffled = (
            f"FROM (SELECT v FROM range({first}, {last}) r(v) ORDER BY hash(v, '{name}')), range({CLIPS_A_VIDEO}) k(k)"
        )
        yield f"scores/{name}", _row(f"scores/{name}", shuffled, clip)
    copies = f"{clips} WHERE k > 0 AND hash(v, k) % {_ONE_COPY_IN} = 0"
    copy = {**clip, "duplicate_of": "md5('c' || v || '-0')", "method": "'perceptual'"}
    yield "duplicates", _row("duplicates", copies, copy)
    stages = (
        f"FROM range({first}, {last}) v(v), (VALUES ('ingest'), {', '.join(f'({name!r})' for name in _SCORERS)}) s(s)"
    )
    yield (
        "ledger",
        _row("ledger", stages, {"unit_key": "md5(s || v)", "stage": "s", "input_id": _VIDEO_ID, "outcome": "'ok'"}),
    )


def _row(table: str, source: str, given: Mapping[str, str]) -> str:
    """SQL of rows of a table: given columns, numbers drawn for the other ones, and nothing for texts."""
    drawn = {"double": "(hash(v, {0!r}{1}) % 1000003) / 1000003.0{2}", "int64": "(hash(v, {0!r}{1}) % 4)::BIGINT"}
    clip = ", k" if " k(k)" in source else ""
    columns = []
    for field in TABLES[table].schema:
        scale = f" * {_SCALES[field.name]}" if field.name in _SCALES else ""
        sql = given.get(field.name) or drawn.get(str(field.type), "NULL").format(field.name, clip, scale)
        columns.append(f"{sql} AS {field.name}")
    return f"SELECT {', '.join(columns)} {source}"


def _run(task: str, dataset: Dataset) -> None:
    """One task of those that are measured."""
    match task:
        case "build":
            wide.build(dataset.manifest)
        case "select":
            select.compute(dataset, SelectConfig.model_validate(_CONFIG))
        case "one":
            what_if(dataset, ["aesthetic >= 5.0"])
        case "four" | "four-joined":
            if task == "four-joined":
                shutil.rmtree(Path(dataset.manifest.uri("wide")))
            what_if(dataset, _OTHER)
        case "funnel":
            with open_views(dataset.manifest) as db:
                funnel(db)


def _main(task: str, root: str, *more: str) -> None:
    started = time.monotonic()
    if task == "make":
        make(Path(root), int(more[0]))
    else:
        _run(task, Dataset(root))
    told = {"seconds": time.monotonic() - started, "gib": rss_bytes(os.getpid(), "VmHWM") / 2**30}
    print(json.dumps(told))


if __name__ == "__main__":
    _main(*sys.argv[1:])
