"""Take a video out of a dataset, everywhere and for good: rows, previews, latents, and its samples in shards."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import Dataset
from pipeline.shards import Placed, Sample, ShardStore
from schemas import TABLES, ConfigError
from trainer.encoded import ENCODED_FOLDER

_BY_HAND = frozenset({"samples", "ledger", "labels", "files", "tombstones"})
"""Tables whose rows are not owned by videos."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was taken out."""

    video_id: str
    num_clips: int
    num_captions: int
    num_shards: int
    """Shards that were written again, or removed, because the video had samples in them."""

    def to_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


def find_video(dataset: Dataset, named: str) -> str:
    """The id of a video by its id or by the uri of one of its files.

    Raises:
        ConfigError: There is no such video.
    """
    manifest = dataset.manifest
    for table in ("videos", "files", "tombstones"):
        if manifest.read(table, ["video_id"], where=pc.field("video_id") == named).num_rows:
            return named
    rows = manifest.read("files", ["video_id"], where=pc.field("uri") == named).to_pylist()
    if not rows:
        raise ConfigError(f"{dataset.root}: there is no video {named!r}, neither by its id nor by its uri in `files`")
    if rows[0]["video_id"] is None:
        raise ConfigError(f"{dataset.root}: {named} could not be read, so there is nothing of it to forget")
    return str(rows[0]["video_id"])


def forget(dataset: Dataset, video_id: str, reason: str) -> Forgotten:
    """Take a video out, leaving a tombstone, so that no later run brings it back.

    The tombstone comes first and the ledger last: the same command, given again after a stop, does the rest.

    Args:
        dataset: Locked by the caller.
        video_id: Which video.
        reason: Kept with the tombstone.
    """
    manifest = dataset.manifest
    mine = pc.field("video_id") == video_id
    buried = {"video_id": video_id, "reason": reason, "created_at": datetime.now(UTC)}
    manifest.replace("tombstones", [buried], [video_id])
    clip_ids = set(manifest.read("clips", ["clip_id"], where=mine)["clip_id"].to_pylist())
    num_captions = manifest.read("captions", ["clip_id"], where=mine).num_rows
    shards = sorted(manifest.read("samples", ["shard"], where=mine)["shard"].unique().to_pylist())
    uris = manifest.read("files", ["uri"], where=mine)["uri"].to_pylist()
    for shard in shards:
        _rewrite(dataset, shard, video_id)
    _remove_below(dataset, dataset.path(ENCODED_FOLDER), video_id)
    if dataset.fs.exists(preview := dataset.preview_path(video_id)):
        dataset.fs.rm_file(preview)
    _unlink_duplicates(dataset, clip_ids)
    manifest.replace("labels", [], sorted(clip_ids))
    for name, table in TABLES.items():
        if name not in _BY_HAND:
            assert table.owner == "video_id", f"nobody has said how {name} forgets a video"
            manifest.replace(name, [], [video_id])
    manifest.replace("files", [], uris)
    manifest.replace("ledger", [], [video_id, *uris, *shards])
    manifest.tidy()
    _forget_history(dataset)
    return Forgotten(video_id, len(clip_ids), num_captions, len(shards))


def _forget_history(dataset: Dataset) -> None:
    """Leave of each table's log its current state alone: older commits tell of the smallest and largest texts."""
    for name in dataset.manifest.tables():
        delta = dataset.manifest._delta(name)
        assert delta is not None
        delta.create_checkpoint()
        delta.cleanup_metadata()


def _rewrite(dataset: Dataset, shard: str, video_id: str) -> None:
    """Write a shard without a video's samples, and its rows; remove both where nothing is left."""
    manifest, store = dataset.manifest, ShardStore(dataset.root)
    rows = manifest.read("samples", where=pc.field("shard") == shard).to_pylist()
    kept = {row["sample_key"]: row for row in rows if row["video_id"] != video_id}
    if not kept:
        store.remove(shard)
        manifest.replace("samples", [], [shard])
        return

    def samples() -> Iterator[Sample]:
        return (sample for sample in store.read(shard) if sample.key in kept)

    placed = store.write(shard, samples())
    manifest.replace("samples", [{**kept[one.key], **_place(one)} for one in placed], [shard])


def _place(placed: Placed) -> dict[str, object]:
    return {
        "member_names": list(placed.names),
        "member_offsets": list(placed.offsets),
        "member_sizes": list(placed.sizes),
        "sha256": placed.sha256,
    }


def _remove_below(dataset: Dataset, folder: str, video_id: str) -> None:
    """Remove a video's latents of every set."""
    for path in dataset.fs.glob(f"{folder}/*/{video_id[:2]}/{video_id}/*"):
        dataset.fs.rm_file(path)


def _unlink_duplicates(dataset: Dataset, clip_ids: Collection[str]) -> None:
    """Other clips are no longer copies of what is gone; the next run looks for copies again."""
    manifest = dataset.manifest
    where = pc.field("duplicate_of").isin(pa.array(sorted(clip_ids), pa.string()))
    others = manifest.read("duplicates", ["video_id"], where=where)["video_id"].unique()
    rows = manifest.read("duplicates", where=pc.field("video_id").isin(others)).to_pylist()
    manifest.replace("duplicates", [row for row in rows if row["duplicate_of"] not in clip_ids], others.to_pylist())
