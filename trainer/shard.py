"""Stage `shard`: latents are packed into shards, and captions of the same clips are encoded into shards beside them.

One shard is one unit of work, so new captions write texts anew and leave latents alone. What shards hold is told in
`trainer.shard_sets`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from pipeline.manifest import Manifest
from pipeline.shards import Placed, Sample, ShardError, ShardStore
from schemas import ErrorKind, MediaError, Resources, Result, Row
from trainer.encoded import EncodedStore
from trainer.shard_config import ShardConfig
from trainer.shard_inputs import READS, ShardContents, ShardInput
from trainer.shard_sets import TEXT_MEMBER, SetPair
from trainer.tensors import tensor_bytes
from trainer.text_encoder import TextEncoder, TextEncoderSource, load_text_encoder

if TYPE_CHECKING:
    import torch


class PackShards:
    """Stage: one `Result` a shard, with a row of `samples` for each clip in it.

    Args:
        config: How.
        source: The text encoder.
        latent_set: Which latents.
        dataset: Where latents lie and shards go.
        reads: Columns it needs, by table.
    """

    name = "shard"
    version = 1
    writes = ("samples",)
    batch_size = 1

    def __init__(
        self,
        config: ShardConfig,
        source: TextEncoderSource,
        latent_set: str,
        dataset: str,
        reads: Mapping[str, tuple[str, ...]] = READS,
    ) -> None:
        self.config = config
        self.reads = reads
        self.source = source
        self.latent_set = latent_set
        self.resources = Resources(cpus=config.cpus, gpus=config.gpus)
        self._encoded = EncodedStore(dataset, latent_set)
        self._store = ShardStore(dataset)
        self._text_encoder: TextEncoder | None = None

    def load(self, row: Row) -> ShardInput:
        """The input that `to_row` gave."""
        return ShardInput(**row)  # type: ignore[arg-type]

    def failed(self, item: ShardInput, error: MediaError) -> Result:
        """A shard that could not be written has no rows."""
        return Result(item.shard, error=error)

    def setup(self) -> None:
        """Nothing yet: a worker that packs latents alone needs no text encoder."""

    def close(self) -> None:
        """Let go of the text encoder."""
        self._text_encoder = None

    def __call__(self, items: Sequence[ShardInput]) -> Iterator[Result]:
        """Write the shards, one after the other."""
        for item in items:
            started = time.monotonic()
            try:
                rows = self._latents(item) if item.what == "latents" else self._texts(item)
            except ShardError as error:
                raise MediaError(ErrorKind.io, f"a latent is lost, the next run makes it again: {error}") from error
            yield Result(item.shard, {"samples": rows}, busy_s=time.monotonic() - started)

    def _latents(self, item: ShardInput) -> list[Row]:
        """Pack what `encode` has made, as it is."""

        def samples() -> Iterator[Sample]:
            for clip_id, row, scores in item.listed:
                found = self._encoded.read(row["video_id"], clip_id, row["sha256"])
                yield Sample(clip_id, {**found.about, "scores": scores}, found.members)

        placed = self._store.write(item.shard, samples())
        rows = {clip_id: row for clip_id, row, _ in item.listed}
        return [{**rows[one.key], **_place(item.shard, one), "latent_set": self.latent_set} for one in placed]

    def _texts(self, item: ShardInput) -> list[Row]:
        """Encode the captions of all its clips together, and write them."""
        texts = [text for _, _, captions in item.listed for _, _, text in captions]
        vectors = iter(self._encode(texts))
        rows: list[dict[str, Any]] = []

        def samples() -> Iterator[Sample]:
            for clip_id, video_id, captions in item.listed:
                tensors = {kind: next(vectors) for kind, _, _ in captions}
                told = {
                    kind: {"caption_set": caption_set, "text": text, "num_tokens": len(tensors[kind])}
                    for kind, caption_set, text in captions
                }
                about = {"clip_id": clip_id, "video_id": video_id, "captions": told}
                about["digests"] = {"text_encoder": self.source.digest}
                rows.append(
                    {
                        "video_id": video_id,
                        "latent_set": self.latent_set,
                        "caption_kinds": list(told),
                        "caption_sets": [one["caption_set"] for one in told.values()],
                        "num_text_tokens": [one["num_tokens"] for one in told.values()],
                        "text_encoder_digest": self.source.digest,
                    }
                )
                yield Sample(clip_id, about, {TEXT_MEMBER: tensor_bytes(tensors)})

        placed = self._store.write(item.shard, samples())
        return [{**row, **_place(item.shard, one)} for row, one in zip(rows, placed, strict=True)]

    def _encode(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """The vectors of each text in the type in which they are kept.

        Raises:
            MediaError: They are not finite in it.
        """
        import torch

        if self._text_encoder is None:
            on_gpu = bool(self.config.gpus) and torch.cuda.is_available()
            if not on_gpu:
                torch.set_num_threads(max(1, int(self.config.cpus)))
            self._text_encoder = load_text_encoder(self.source, "cuda" if on_gpu else "cpu")
        dtype = getattr(torch, self.config.dtype)
        found = [vectors.to(dtype) for vectors in self._text_encoder.encode(texts)]
        if not all(bool(vectors.isfinite().all()) for vectors in found):
            raise MediaError(
                ErrorKind.engine, f"the text encoder gives values that are not finite as {self.config.dtype}"
            )
        return found


def _place(shard: str, placed: Placed) -> dict[str, Any]:
    """The columns of `samples` that say where a sample lies."""
    return {
        "clip_id": placed.key,
        "shard_set": shard.partition("/")[0],
        "shard": shard,
        "sample_key": placed.key,
        "member_names": list(placed.names),
        "member_offsets": list(placed.offsets),
        "member_sizes": list(placed.sizes),
        "sha256": placed.sha256,
    }


def settle_shards(manifest: Manifest, contents: ShardContents, dataset: str) -> None:
    """Remove shards of the two sets that no clip belongs to any more, with their rows.

    Args:
        manifest: The dataset's tables.
        contents: What the sets hold now.
        dataset: Where the shards lie.
    """
    pair: SetPair = contents.pair(manifest)
    wanted = contents.shards(manifest)
    store = ShardStore(dataset)
    there = {name for shard_set in (pair.latent_set, pair.text_set) for name in store.names(shard_set)}
    where = pc.field("shard_set").isin([pair.latent_set, pair.text_set])
    there |= set(manifest.read("samples", ["shard"], where=where)["shard"].unique().to_pylist())
    gone = sorted(there - wanted)
    manifest.replace("samples", [], gone)
    # One that comes back later would count as done.
    manifest.replace("ledger", [], gone, among=("stage", PackShards.name))
    for name in gone:
        store.remove(name)
    _make_lost_again(manifest, contents, dataset)


def _make_lost_again(manifest: Manifest, contents: ShardContents, dataset: str) -> None:
    """Strike out that videos were encoded of which a latent is lost or damaged, so that the next run makes it again."""
    where = (pc.field("stage") == PackShards.name) & (pc.field("error_kind") == ErrorKind.io.value)
    failed = set(manifest.read("ledger", ["input_id"], where=where)["input_id"].to_pylist())
    if not failed:
        return
    encoded = EncodedStore(dataset, contents.latent_set)
    lost = set()
    for item in contents.inputs(manifest):
        if item.shard in failed and item.what == "latents":
            for clip_id, row, _ in item.listed:
                try:
                    encoded.read(row["video_id"], clip_id, row["sha256"])
                except ShardError:
                    lost.add(row["video_id"])
    manifest.replace("ledger", [], sorted(lost), among=("stage", "encode"))
