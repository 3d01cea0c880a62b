"""The report: one HTML page that shows a dataset, and needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from markupsafe import Markup

from infra.inspect import text
from infra.inspect.facets import facets, failures, meaning, totals, unclipped
from infra.inspect.funnel import funnel, share_lost
from infra.inspect.histogram import Distribution, draw, has_log_heights, measure
from infra.inspect.sql import open_views, score_columns, score_doc, score_tables, view_name
from infra.inspect.strips import Extremes, Strip, extremes, load_strips, sample
from pipeline.dataset import Dataset
from schemas import ConfigError

if TYPE_CHECKING:
    import jinja2

SEED = 0
"""Which clips are drawn for the page's sample."""
MAX_PICTURES_BYTES = 12 * 2**20
"""What the pictures may take on the page; about 1,000 of them."""
_EXTREMES = 2
"""Strips for each end and for the middle of a score."""
_SAMPLE = 24
_MAX_STRIPS = 240
"""Strips beyond the sample; with more scores than fit, the later ones show their histogram alone."""
_TOP_SCORES = 3
_NOTABLE = 0.2
"""How far from the middle, as a part of all clips, a value must lie to stand out."""
_SECONDS_OF_SHOT = "(end_pts - start_pts) * time_base_num / time_base_den"


@dataclass(frozen=True, slots=True)
class ScoreSection:
    """One score on the page."""

    name: str
    scorer: str
    doc: str
    shown: Distribution
    ends: Extremes

    @property
    def anchor(self) -> str:
        """Where links to it lead."""
        return f"score-{self.scorer}-{self.name}"


def write_report(dataset: Dataset, out: Path) -> int:
    """Write the page, whole or not at all.

    Args:
        dataset: What to show.
        out: The HTML file; replaced where it exists.

    Returns:
        The page's length in bytes.

    Raises:
        ConfigError: The file cannot be written.
    """
    if not out.parent.is_dir():
        raise ConfigError(f"--report {out}: there is no folder {out.parent}")
    if out.is_dir():
        raise ConfigError(f"--report {out}: is a folder; name a file")
    with open_views(dataset.manifest) as db:
        page = render(db, dataset).encode("utf-8")
    try:
        _write_whole(out, page)
    except OSError as error:
        raise ConfigError(f"--report {out}: cannot be written: {error.strerror}") from error
    return len(page)


def render(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> str:
    """The page as text; the same for the same tables and previews."""
    drawn = sample(db, number=_SAMPLE, seed=SEED)
    sections = score_sections(db)
    wanted = [*drawn]
    for section in sections:
        wanted += [*section.ends.lowest, *section.ends.middle, *section.ends.highest]
    strips = load_strips(db, dataset, wanted, max_bytes=MAX_PICTURES_BYTES)
    css = resources.files("infra.inspect").joinpath("report.css").read_text("utf-8")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            name=dataset.root.rstrip("/").rpartition("/")[2],
            root=dataset.root,
            css=Markup(css),  # noqa: S704 - our own file
            css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
            totals=totals(db),
            steps=funnel(db),
            facets=facets(db),
            lengths=_lengths(db),
            sections=sections,
            strips=strips,
            sample=sorted(drawn, key=lambda clip_id: _by_source(strips[clip_id])),
            notable={clip_id: notable(strips[clip_id], sections) for clip_id in drawn},
            failures=failures(db),
            unclipped=unclipped(db),
            min_clip_s=_min_clip_s(dataset),
        )
    )


def score_sections(db: duckdb.DuckDBPyConnection) -> list[ScoreSection]:
    """Every score that is a number, with its spread and the clips at its ends."""
    sections: list[ScoreSection] = []
    for table in score_tables():
        view = view_name(table)
        for column in score_columns(db, view):
            if not column.is_number:
                continue
            shown = measure(db, f'"{column.name}"', view)
            fits = 3 * _EXTREMES * (len(sections) + 1) <= _MAX_STRIPS
            # Where all clips are equal there is nothing to show at its ends.
            number = _EXTREMES if fits and shown.minimum != shown.maximum else 0
            ends = extremes(db, view, column.name, shown, number=number)
            scorer = table.removeprefix("scores/")
            sections.append(ScoreSection(column.name, scorer, score_doc(table, column.name), shown, ends))
    return sections


def notable(strip: Strip, sections: list[ScoreSection]) -> list[tuple[str, float, str]]:
    """The scores in which a clip stands out most: name, value, and where that is among all clips."""
    ranked = []
    for section in sections:
        value = strip.scores.get(section.name)
        if value is not None and section.shown.quantiles and section.shown.minimum != section.shown.maximum:
            ranked.append((section.shown.rank(value), section.name, value))
    ranked.sort(key=lambda some: (-abs(some[0] - 0.5), some[1]))
    return [
        (
            name,
            value,
            f"top {100 * max(1 - rank, 0.01):.0f} %" if rank > 0.5 else f"lowest {100 * max(rank, 0.01):.0f} %",
        )
        for rank, name, value in ranked[:_TOP_SCORES]
        if abs(rank - 0.5) >= _NOTABLE
    ]


def _lengths(db: duckdb.DuckDBPyConnection) -> list[tuple[str, str, Distribution]]:
    return [
        ("Length of videos, in seconds", "videos", measure(db, "duration_s", "videos WHERE NOT is_image")),
        ("Length of shots, in seconds", "shots", measure(db, _SECONDS_OF_SHOT, "shots")),
        ("Length of clips, in seconds", "clips", measure(db, "end_s - start_s", "clips")),
    ]


def _min_clip_s(dataset: Dataset) -> float | None:
    """The shortest clip that the dataset's config allows; None where it does not say."""
    config = dataset.describe().get("config")
    scan = config.get("scan") if isinstance(config, dict) else None
    value = scan.get("min_clip_s") if isinstance(scan, dict) else None
    return value if isinstance(value, int | float) else None


def _by_source(strip: Strip) -> tuple[str, float, str]:
    return strip.clip["uri"] or "", strip.clip["start_s"] or 0.0, strip.clip["clip_id"]


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("infra.inspect", "."),
        autoescape=True,
        # Every value that the page shows passes here, so that no name can hide or move what stands beside it.
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=text.count,
        hours=text.hours,
        share=text.share,
        size=text.size,
        number=text.number,
        meaning=meaning,
        file_name=lambda uri: (uri or "unknown").rstrip("/").rpartition("/")[2] or uri,
    )
    environment.globals.update(draw=draw, has_log_heights=has_log_heights, share_lost=share_lost)
    return environment


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _write_whole(out: Path, page: bytes) -> None:
    fd, scratch = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name[:100]}.", suffix=".tmp")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(page)
        # mkstemp gives the owner alone the right to read; a report is there to be shown.
        umask = os.umask(0)
        os.umask(umask)
        Path(scratch).chmod(0o666 & ~umask)
        Path(scratch).replace(out)
    except BaseException:
        Path(scratch).unlink()
        raise
