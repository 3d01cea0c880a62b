"""The whole of `rushes evaluate`: videos made or found, judged, and told as tables, verdicts and pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from infra.evaluate.asked import read_prompt
from infra.evaluate.clip_score import clip_scores
from infra.evaluate.config import EvaluateConfig
from infra.evaluate.files import find_videos, read_video
from infra.evaluate.films import Film, draw_films
from infra.evaluate.judging import (
    JUDGE_VERSION,
    MADE,
    Row,
    Say,
    Shown,
    ceiling_and_floor,
    in_processes,
    look_file,
    rows_of,
    shuffled,
)
from infra.evaluate.made import make_films
from infra.evaluate.sheet import write_pages
from infra.evaluate.table import Line, breakdown, lines_of, render
from infra.evaluate.targets import render_summary, summary
from infra.evaluate.verdicts import ADHERENCE, CONSISTENCY
from infra.evaluate.ways import autoencoder_trip, measure_ways
from schemas import ConfigError
from schemas.ids import digest
from trainer.sampling import find_model

if TYPE_CHECKING:
    from trainer.sampling.sampler import Sampler

NOT_MEASURED = (
    "not measured: FVD and VBench's dimensions, which need networks that were trained on real footage and no package "
    "here has"
)
VERDICTS_FILE, TABLE_FILE = "verdicts.parquet", "table.json"


@dataclass(slots=True)
class Report:
    """What was found."""

    lines: list[Line] = field(default_factory=list)
    ways: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    clip_score: float | None = None

    @property
    def tables(self) -> list[str]:
        """As text."""
        found = [render(self.lines)] if self.lines else []
        return [*found, render_summary(self.ways)] if self.ways else found

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "lines": [line.to_json() for line in self.lines],
            "ways": self.ways,
            "clip_score": self.clip_score,
            "notes": self.notes,
        }


def evaluate(config: EvaluateConfig, parts: Sequence[str], say: Say) -> Report:
    """Make what is missing and judge all of it.

    Args:
        config: What is judged.
        parts: Of `adherence`, `consistency`, `modes`.
        say: Told of the progress.

    Raises:
        ConfigError: The model cannot be had, or something cannot be made or written.
    """
    source = find_model(config.sampling)

    @cache
    def sampler() -> Sampler:
        from trainer.sampling.sampler import Sampler

        return Sampler(config.sampling, source)

    report = Report()
    rows: list[Row] = []
    names: dict[str, Path] = {}
    wanted = [*(ADHERENCE if "adherence" in parts else ()), *(CONSISTENCY if "consistency" in parts else ())]
    if wanted:
        films = draw_films(config)
        paths = make_films(films, config, source, sampler, say)
        names = {film.name: path for film, path in zip(films, paths, strict=True)}
        rows = _judged(films, paths, config, say)
        report.lines = [*lines_of(rows, wanted), *(breakdown(rows) if "adherence" in parts else [])]
        report.notes.append(f"{len(films)} videos are in {config.out / 'videos'}")
    if "modes" in parts:
        from trainer.sampling.sampler import device_of

        trip = autoencoder_trip(source, device_of(config.sampling))
        report.ways = summary(measure_ways(config, source, sampler, trip, say))
    if config.clip is not None and names:
        report.clip_score = clip_scores(
            config.clip, [(read_video(names[row.film])[0], row.prompt) for row in _firsts(rows)]
        )
        report.notes.append(f"CLIP score: {report.clip_score:.3f}")
    report.notes.append(NOT_MEASURED)
    _write(config.out, report, rows, names)
    return report


def _judged(films: Sequence[Film], paths: Sequence[Path], config: EvaluateConfig, say: Say) -> list[Row]:
    """The verdicts on the model's videos, the ceiling and the floors."""
    shown = [Shown.of(film) for film in films]
    sights = in_processes(
        look_file, [(path, config.sampling.frame_rate) for path in paths], config.workers, say, "videos"
    )
    rows = rows_of(MADE, shown, sights)
    rows += shuffled(shown, sights, config.num_shuffles, ADHERENCE)
    return rows + _footage_rows(films, config, say)


def _footage_rows(films: Sequence[Film], config: EvaluateConfig, say: Say) -> list[Row]:
    """The ceiling, and the floor of consistency; read from `out/footage` where the same films were judged before."""
    about = [JUDGE_VERSION, [[film.prompt, film.size, film.num_frames, film.rate, film.seed] for film in films]]
    path = config.out / "footage" / f"{digest(about)}.json"
    if path.exists():
        return [Row(**values) for values in json.loads(path.read_text(encoding="utf-8"))]
    # The floor of what prompts ask for is of the model's own videos.
    rows = ceiling_and_floor(films, 0, config.workers, say)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
    return rows


def judge_folder(folder: Path, out: Path | None, say: Say) -> Report:
    """Judge ready videos against the prompts beside them.

    Raises:
        ConfigError: There is none, or one has no prompt that asks for anything, or does not decode.
    """
    found = find_videos(folder)
    for path, prompt in found:
        if not read_prompt(prompt).asks:
            raise ConfigError(f"{path}: its prompt names nothing of the miniature world: {prompt[:60]!r}")
    sights = in_processes(look_file, [(path, None) for path, _ in found], 1, say, "videos")
    shown = [
        Shown(path.name, prompt, sight.native, sight.num_frames)
        for (path, prompt), sight in zip(found, sights, strict=True)
    ]
    rows = rows_of(MADE, shown, sights)
    rows += shuffled(shown, sights, 4, ADHERENCE)
    report = Report(lines=lines_of(rows), notes=[f"{len(found)} videos judged"])
    if out is not None:
        _write(out, report, rows, {path.name: path for path, _ in found})
    return report


def _firsts(rows: Sequence[Row]) -> list[Row]:
    """One row of each of the model's videos."""
    return list({row.film: row for row in rows if row.source == MADE}.values())


def _write(out: Path, report: Report, rows: Sequence[Row], names: dict[str, Path]) -> None:
    """Write verdicts, tables and pages.

    Raises:
        ConfigError: They cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / TABLE_FILE).write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
        if rows:
            pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), out / VERDICTS_FILE)
            made = [row for row in rows if row.source == MADE]
            write_pages(out, report.tables, made, lambda name: read_video(names[name])[0])
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written: {error.strerror or error}") from error
    report.notes.append(f"verdicts, table and pages are in {out}")
