"""What lies at the inputs in this run, and which file speaks for each content; on disk, whatever their number."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import Manifest
from pipeline.stages.ingest import IngestInput, load_input

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -1024;
CREATE TABLE listed (uri TEXT PRIMARY KEY, text TEXT);
CREATE TABLE chosen (video_id TEXT PRIMARY KEY, is_away INTEGER, uri TEXT) WITHOUT ROWID;
"""
_IDS_A_QUESTION = 500


class Listing:
    """Every path met, in a file that has no name and goes with this object.

    Args:
        inputs: The paths, walked once.
    """

    def __init__(self, inputs: Iterable[IngestInput]) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_TABLES)
        rows = ((item.input_id, json.dumps(dict(item.to_row()))) for item in inputs)
        self._db.executemany("INSERT OR IGNORE INTO listed VALUES (?, ?)", rows)

    def inputs(self) -> Iterator[IngestInput]:
        """All of them, in the order of their uris."""
        uri = ""
        # By pages: a question left open would meet the changes that `choose` makes.
        while page := self._db.execute(
            "SELECT uri, text FROM listed WHERE uri > ? ORDER BY uri LIMIT 256", (uri,)
        ).fetchall():
            for _, text in page:
                yield load_input(json.loads(text))
            uri = page[-1][0]

    def __contains__(self, uri: str) -> bool:
        return self._db.execute("SELECT 1 FROM listed WHERE uri = ?", (uri,)).fetchone() is not None

    def choose(self, manifest: Manifest) -> None:
        """Choose one file for each content: the one with the smallest uri among those that still lie there.

        So the choice does not depend on the order in which files were met. Where none of a content's files was
        listed, all of them count.
        """
        self._db.execute("DELETE FROM chosen")
        for rows in manifest.batches("files", ["video_id", "uri"], where=_usable()):
            pairs = zip(rows["video_id"].to_pylist(), rows["uri"].to_pylist(), strict=True)
            self._db.executemany(
                "INSERT INTO chosen VALUES (?, ?, ?) ON CONFLICT (video_id) DO UPDATE SET "
                "is_away = excluded.is_away, uri = excluded.uri "
                "WHERE (excluded.is_away, excluded.uri) < (chosen.is_away, chosen.uri)",
                ((video_id, uri not in self, uri) for video_id, uri in pairs),
            )

    def chosen(self, video_id: str) -> str | None:
        """The file that was chosen for a content."""
        found = self._db.execute("SELECT uri FROM chosen WHERE video_id = ?", (video_id,)).fetchone()
        return None if found is None else str(found[0])


def distinct_videos(manifest: Manifest, listing: Listing, columns: Iterable[str]) -> Iterator[dict[str, object]]:
    """The chosen row of `files` for each content.

    Args:
        manifest: The dataset's tables.
        listing: What lies there now.
        columns: Which columns; `video_id` and `uri` among them.
    """
    listing.choose(manifest)
    for rows in manifest.batches("files", list(columns), where=_usable()):
        yield from (row for row in rows.to_pylist() if listing.chosen(row["video_id"]) == row["uri"])


def settle_uris(manifest: Manifest, listing: Listing) -> None:
    """Put right the `uri` of `videos` whose file is no longer the one that is chosen.

    A video none of whose files was listed in this run keeps its uri.
    """
    listing.choose(manifest)
    moved: dict[str, str] = {}
    for rows in manifest.batches("videos", ["video_id", "uri"]):
        for video_id, uri in zip(rows["video_id"].to_pylist(), rows["uri"].to_pylist(), strict=True):
            now = listing.chosen(video_id)
            if now is not None and now != uri and now in listing:
                moved[video_id] = now
    ids = sorted(moved)
    for some in (ids[k : k + _IDS_A_QUESTION] for k in range(0, len(ids), _IDS_A_QUESTION)):
        videos = manifest.read("videos", where=pc.field("video_id").isin(some))
        uris = pa.array([moved[video_id] for video_id in videos["video_id"].to_pylist()], pa.string())
        settled = videos.set_column(videos.schema.get_field_index("uri"), videos.schema.field("uri"), uris)
        manifest.replace("videos", settled, some)


def _usable() -> pc.Expression:
    return (pc.field("outcome") == "ok") & pc.field("video_id").is_valid()
