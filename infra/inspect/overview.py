"""A dataset in a few lines."""

from __future__ import annotations

from typing import Any

import duckdb

from infra.inspect.facets import error_counts, failures, totals
from infra.inspect.text import aligned, count, hours, share, size
from pipeline.dataset import Dataset
from pipeline.views import view_name


def overview(db: duckdb.DuckDBPyConnection, dataset: Dataset) -> dict[str, Any]:
    """Rows by table, outcomes, footage and errors, as a JSON object.

    Args:
        db: From `infra.inspect.sql.open_views`.
        dataset: The one behind it.
    """
    outcomes = db.execute("SELECT outcome, count(*) FROM files GROUP BY ALL ORDER BY 2 DESC, 1").fetchall()
    tables = {
        name: db.execute(f"SELECT count(*) FROM {view_name(name)}").fetchall()[0][0]
        for name in dataset.manifest.tables()
    }
    return {
        "dataset": dataset.root,
        "tables": tables,
        "outcomes": {outcome or "unknown": number for outcome, number in outcomes},
        "errors": error_counts(failures(db)),
        **totals(db),
    }


def overview_text(found: dict[str, Any]) -> str:
    """The overview for a terminal."""
    kept = share(found["clips_s"] / found["videos_s"]) if found["videos_s"] else ""
    files = ", ".join(f"{count(number)} {outcome}" for outcome, number in found["outcomes"].items())
    errors = ", ".join(f"{count(number)} {kind}" for kind, number in found["errors"].items())
    rows = [
        ("dataset", found["dataset"]),
        ("files", f"{count(found['files'])}, {size(found['bytes'])}" + (f": {files}" if files else "")),
        ("errors", errors or "none"),
        ("videos", f"{count(found['videos'])}, {hours(found['videos_s'])} of footage"),
        ("shots", count(found["shots"])),
        (
            "clips",
            f"{count(found['clips'])}, {hours(found['clips_s'])}" + (f", {kept} of the footage" if kept else ""),
        ),
        (
            "tables",
            ", ".join(f"{name} {count(rows)}" for name, rows in found["tables"].items()) or "none yet",
        ),
    ]
    return aligned(("", ""), rows)
