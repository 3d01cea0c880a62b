"""Step: which clips show what another clip shows already, and which of them stay."""

from __future__ import annotations

import difflib
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.dataset import Dataset
from pipeline.dedup.groups import drop_duplicates
from pipeline.dedup.perceptual import PAIRS, PerceptualConfig, find_perceptual
from pipeline.dedup.semantic import SemanticConfig, semantic_pairs
from pipeline.dedup.store import COLUMNS, load_fingerprints
from pipeline.embeddings import TABLE as EMBEDDING
from pipeline.manifest import Manifest
from pipeline.views import open_tables, view_name
from schemas import TABLES, ConfigError
from schemas.config import Config

VERSION: Final = 2
"""Raised by hand when the same tables give other rows than before."""
READS: Final = {
    "clips": ("clip_id", "video_id", "start_s", "end_s", "crop_width", "crop_height"),
    "fingerprints": COLUMNS,
}
"""What the step always needs; `reads` adds what its config names."""


class DedupConfig(Config):
    """Which clips count as duplicates, and which of them stay."""

    perceptual: PerceptualConfig | None = Field(default_factory=PerceptualConfig)
    """Clips that show the same pictures, exact copies included; null leaves both out."""
    semantic: SemanticConfig | None = None
    """Clips that show the same thing in other pictures, by their embeddings; null leaves them out."""
    keep_best_by: str | None = None
    """Of clips of about one length the one with the highest value stays: a column of a score table. Without it the
    one with most pixels times seconds. Of equals the one with the smallest id."""


def reads(config: DedupConfig) -> dict[str, tuple[str, ...]]:
    """Columns that the step needs, by table.

    Raises:
        ConfigError: `keep_best_by` names no score, or more than one table has it.
    """
    needed: dict[str, tuple[str, ...]] = dict(READS)
    if config.semantic is not None:
        needed[EMBEDDING] = ("clip_id", "embedding")
    if config.keep_best_by is not None:
        table = score_table(config.keep_best_by)
        needed[table] = tuple(dict.fromkeys((*needed.get(table, ("clip_id",)), config.keep_best_by)))
    return needed


def score_table(column: str) -> str:
    """The score table that has a column of numbers.

    Raises:
        ConfigError: None has it, or several have.
    """
    scores = {
        name: [
            field.name for field in table.schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
        ]
        for name, table in TABLES.items()
        if name.startswith("scores/")
    }
    owners = [name for name, columns in scores.items() if column in columns]
    if len(owners) == 1:
        return owners[0]
    if owners:
        raise ConfigError(f"dedup.keep_best_by: {column!r} is a score of {' and of '.join(owners)}")
    near = difflib.get_close_matches(column, [name for columns in scores.values() for name in columns], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"dedup.keep_best_by: there is no score {column!r}{hint}")


def compute(dataset: Dataset, config: DedupConfig) -> None:
    """Find the duplicates among all clips, and put them in the place of the table `duplicates`.

    Raises:
        ConfigError: `keep_best_by` names no score.
    """
    manifest = dataset.manifest
    pairs = _pairs(dataset, config)
    ids = pc.unique(pa.chunked_array([*pairs["clip_id"].chunks, *pairs["other_id"].chunks], pa.string()))
    known = _known(manifest, ids, config.keep_best_by)
    # A fingerprint or an embedding whose clip is gone counts for nothing.
    alive = pc.and_(pc.is_in(pairs["clip_id"], known["clip_id"]), pc.is_in(pairs["other_id"], known["clip_id"]))
    min_overlap = config.perceptual.min_overlap if config.perceptual is not None else 1.0
    dropped = drop_duplicates(pairs.filter(alive), known, min_overlap)
    videos = known["video_id"].take(pc.index_in(dropped["clip_id"], known["clip_id"]))
    manifest.overwrite("duplicates", dropped.append_column("video_id", videos))


def _pairs(dataset: Dataset, config: DedupConfig) -> pa.Table:
    """The pairs of all methods."""
    tables = [PAIRS.empty_table()]
    if config.perceptual is not None:
        fingerprints = load_fingerprints(partial(dataset.manifest.batches, "fingerprints", COLUMNS))
        tables.append(find_perceptual(fingerprints, config.perceptual))
    if config.semantic is not None:
        tables.append(semantic_pairs(dataset, config.semantic))
    return pa.concat_tables(tables, promote_options="default")


def _known(manifest: Manifest, ids: pa.Array, keep_best_by: str | None) -> pa.Table:
    """`clip_id, video_id, quality` of those of the clips that there are, ascending."""
    value, joined, tables = "c.crop_width * c.crop_height * (c.end_s - c.start_s)", "", ["clips"]
    if keep_best_by is not None:
        tables.append(score_table(keep_best_by))
        value, joined = f's."{keep_best_by}"', f"LEFT JOIN {view_name(tables[1])} s USING (clip_id)"
    with open_tables(manifest, tables) as db:
        db.register("wanted", pa.table({"clip_id": ids}))
        query = (
            f"SELECT clip_id, c.video_id, CAST({value} AS DOUBLE) AS quality"
            f" FROM wanted JOIN clips c USING (clip_id) {joined} ORDER BY clip_id"
        )
        return db.sql(query).to_arrow_table()
