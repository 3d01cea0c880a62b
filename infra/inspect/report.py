"""The report: one HTML page that shows a dataset, and needs nothing but itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from markupsafe import Markup

from infra.inspect import text
from infra.inspect.assets import Live, policy, script, style
from infra.inspect.buckets import read_buckets
from infra.inspect.buckets import shown as shown_sizes
from infra.inspect.content import Content, ScoreSection, gather
from infra.inspect.facets import facets, failures, meaning, totals, unclipped
from infra.inspect.funnel import funnel, share_lost
from infra.inspect.histogram import Distribution, axis, draw, has_log_heights, measure
from infra.inspect.labels import judgements
from infra.inspect.rules import rules_of
from infra.inspect.sample import Sample, draw_sample
from infra.inspect.sql import open_views
from infra.inspect.stories import tell_many
from infra.inspect.strips import Strip, link_strips, load_strips
from infra.web.policy import embedded, inlined
from pipeline.dataset import Dataset
from schemas import ConfigError

if TYPE_CHECKING:
    import jinja2

MAX_PICTURES_BYTES = 12 * 2**20
"""What the pictures may take on the page; about 1,000 of them."""
_MAX_STORIES = 1200
"""Clips that a page without a server can tell of and search."""
_MORE_PICTURES = 200
"""Of those, how many have pictures without being shown, for whom searches."""
_TOP_SCORES = 3
_NOTABLE = 0.2
"""How far from the middle, as a part of all clips, a value must lie to stand out."""
_SECONDS_OF_SHOT = "(end_pts - start_pts) * time_base_num / time_base_den"


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


def render(db: duckdb.DuckDBPyConnection, dataset: Dataset, live: Live | None = None) -> str:
    """The page as text; the same for the same tables and previews.

    Args:
        db: From `infra.inspect.sql.open_views`.
        dataset: The one behind it.
        live: The server that shows the page; without it the page holds all its pictures and stories itself.
    """
    rules = rules_of(dataset.describe(), db)
    drawn = draw_sample(db, rules)
    content = gather(db, rules)
    shown = content.clip_ids()
    told = [] if live else _told(db, shown)
    wanted = [*shown, *told[len(shown) : len(shown) + _MORE_PICTURES]]
    strips = link_strips(db, shown) if live else load_strips(db, dataset, wanted, max_bytes=MAX_PICTURES_BYTES)
    pictures = {some: strips[some].pictures for some in wanted[len(shown) :] if some in strips}
    judged = judgements(db)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            name=dataset.root.rstrip("/").rpartition("/")[2],
            root=dataset.root,
            live=live,
            css=inlined(style()),
            script=inlined(script()),
            policy=policy(is_live=live is not None),
            data=embedded(_data(db, content, drawn, live) | {"stories": tell_many(db, told), "pictures": pictures}),
            content=content,
            totals=totals(db),
            steps=funnel(db, judged),
            facets=facets(db),
            lengths=_lengths(db),
            judgements=judged,
            buckets=read_buckets(db, dataset.describe()),
            shown_sizes=shown_sizes,
            strips=strips,
            sample=sorted(
                (some for some in content.sample if some in strips), key=lambda some: _by_source(strips[some])
            ),
            notable={some: notable(strips[some], content.sections) for some in content.sample if some in strips},
            failures=failures(db),
            unclipped=unclipped(db),
            min_clip_s=_min_clip_s(dataset),
        )
    )


def _told(db: duckdb.DuckDBPyConnection, shown: list[str]) -> list[str]:
    """Clips whose stories a page without a server holds: those that it shows, and an even draw of others."""
    rest = db.execute("SELECT clip_id FROM clips ORDER BY clip_id LIMIT $1", [_MAX_STORIES]).fetchall()
    return list(dict.fromkeys([*shown, *(row[0] for row in rest)]))[: max(_MAX_STORIES, len(shown))]


def _data(db: duckdb.DuckDBPyConnection, content: Content, drawn: Sample, live: Live | None) -> dict[str, Any]:
    return {
        "rules": [rule.to_json() for rule in content.rules],
        "sample": drawn.to_json(),
        "scores": [
            {"name": some.name, "scorer": some.scorer, "anchor": some.anchor, "doc": some.doc}
            | {"axis": axis(some.shown), "quantiles": some.shown.quantiles}
            for some in content.sections
        ],
        "num_clips": int(db.execute("SELECT count(*) FROM clips").fetchall()[0][0]),
        "live": None if live is None else asdict(live),
    }


def notable(strip: Strip, sections: Sequence[ScoreSection]) -> list[tuple[str, float, str]]:
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
