"""What the stage `shard` is given: all that one shard will hold, but for the latents themselves."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import Manifest
from schemas import ConfigError, Row, digest
from schemas.caption import CaptionKind
from schemas.tables import WIDE_COLUMNS
from trainer.shard_config import ShardConfig
from trainer.shard_layout import Leaf, leaves
from trainer.shard_sets import SetPair, text_set_name

_LATENT_ROW = (
    *("video_id", "frames", "height", "width", "frame_rate_num", "frame_rate_den"),
    *("latent_channels", "latent_frames", "latent_height", "latent_width", "num_tokens"),
    *("autoencoder_digest", "preprocess_digest", "sha256"),
)
_SCORES = tuple(column.name for column in WIDE_COLUMNS if any(table.startswith("scores/") for table in column.tables))
READS = {
    "latents": ("clip_id", *_LATENT_ROW, "latent_set", "num_bytes"),
    "captions": ("clip_id", "kind", "caption_set", "text", "outcome"),
    "wide": ("clip_id", *_SCORES),
}
"""Columns by table."""
_CLIPS_AT_ONCE = 50_000
"""Clips whose captions and scores are in memory at once."""
_SECONDS_A_SAMPLE = {"latents": 0.005, "texts": 0.05}
"""Roughly; a large text encoder on a GPU takes about as long as a small one here."""


@dataclass(frozen=True)
class ShardInput:
    """The contents of one shard."""

    shard: str
    """`SET/000042.tar`."""
    what: Literal["latents", "texts"]
    samples: str
    """JSON of a list in order of clip ids. For latents: `[clip_id, {column: value} of samples, {score: value}]`. For
    texts: `[clip_id, video_id, [[kind, caption_set, text], …]]`."""
    num_samples: int

    @property
    def input_id(self) -> str:
        """The shard's name."""
        return self.shard

    @property
    def cost_s(self) -> float:
        """By the number of samples."""
        return 0.001 + self.num_samples * _SECONDS_A_SAMPLE[self.what]

    @property
    def upstream(self) -> str:
        """A digest of all that the shard depends on: latents by their own digests, texts, scores."""
        return digest([self.shard, self.samples])

    def to_row(self) -> Row:
        """Its fields."""
        return asdict(self)

    @cached_property
    def listed(self) -> list[list[Any]]:
        """Its samples, see `samples`."""
        return json.loads(self.samples)  # type: ignore[no-any-return]


class ShardContents:
    """What the shards of one pair of sets hold, from the tables as they are.

    Args:
        config: How.
        latent_set: Which latents.
        text_encoder_digest: Of the text encoder.
        own_caption_set: What this run's captioner writes; None without one.
    """

    def __init__(
        self, config: ShardConfig, latent_set: str, text_encoder_digest: str, own_caption_set: str | None
    ) -> None:
        self.latent_set = latent_set
        self._config = config
        self._text_encoder_digest = text_encoder_digest
        self._own_caption_set = own_caption_set

    def pair(self, manifest: Manifest) -> SetPair:
        """The names of the two sets.

        Raises:
            ConfigError: There are captions of several sets, and none is chosen.
        """
        config = self._config
        choice = {
            "kinds": sorted(config.kinds),
            "caption_set": self._caption_set(manifest),
            "dtype": config.dtype,
        }
        return SetPair(self.latent_set, text_set_name(self.latent_set, self._text_encoder_digest, choice))

    def inputs(self, manifest: Manifest) -> Iterator[ShardInput]:
        """Every shard of both sets, with its contents.

        Raises:
            ConfigError: There are captions of several sets, and none is chosen.
        """
        pair, caption_set = self.pair(manifest), self._caption_set(manifest)
        ids, layout = self._laid_out(manifest)
        for some in _in_groups(layout):
            first, last = ids[some[0].start], ids[some[-1].stop - 1]
            mine = (pc.field("clip_id") >= first) & (pc.field("clip_id") <= last)
            rows = _by_clip(self._latents(manifest, _LATENT_ROW, mine))
            scores = _by_clip(manifest.read("wide", ["clip_id", *_SCORES], where=mine))
            captions = self._captions(manifest, caption_set, mine)
            for leaf in some:
                clips = ids[leaf.start : leaf.stop]
                latents = [[clip_id, rows[clip_id], _given(scores.get(clip_id, {}))] for clip_id in clips]
                texts = [[clip_id, rows[clip_id]["video_id"], captions.get(clip_id, [])] for clip_id in clips]
                yield _input(f"{pair.latent_set}/{leaf.file_name}", "latents", latents)
                yield _input(f"{pair.text_set}/{leaf.file_name}", "texts", texts)

    def shards(self, manifest: Manifest) -> set[str]:
        """The names of all shards of both sets."""
        pair = self.pair(manifest)
        _, layout = self._laid_out(manifest)
        return {f"{name}/{leaf.file_name}" for leaf in layout for name in (pair.latent_set, pair.text_set)}

    def _laid_out(self, manifest: Manifest) -> tuple[list[str], list[Leaf]]:
        """The clips that are packed, ascending, and which of them share a shard."""
        table = self._latents(manifest, ("num_bytes",)).sort_by("clip_id")
        ids: list[str] = table["clip_id"].to_pylist()
        sizes: list[int] = table["num_bytes"].to_pylist()
        return ids, list(leaves(ids, sizes, self._config.target_mib * 2**20))

    def _latents(self, manifest: Manifest, columns: Sequence[str], mine: pc.Expression | None = None) -> pa.Table:
        where = pc.field("latent_set") == self.latent_set
        return manifest.read("latents", ["clip_id", *columns], where=where if mine is None else where & mine)

    def _captions(
        self, manifest: Manifest, caption_set: str | None, mine: pc.Expression
    ) -> dict[str, list[tuple[str, str, str]]]:
        """`(kind, caption_set, text)` of each clip, in order of kinds, of captions that may be trained on."""
        original = CaptionKind.original.value
        kinds = [kind.value for kind in self._config.kinds]
        where = mine & pc.field("kind").isin(kinds) & (pc.field("outcome") == "success") & pc.field("text").is_valid()
        own = pc.field("kind") == original
        where &= own if caption_set is None else own | (pc.field("caption_set") == caption_set)
        rows = manifest.read("captions", ["clip_id", "kind", "caption_set", "text"], where=where)
        found: dict[str, list[tuple[str, str, str]]] = {}
        for row in rows.sort_by("kind").to_pylist():
            found.setdefault(row["clip_id"], []).append((row["kind"], row["caption_set"], row["text"]))
        return found

    def _caption_set(self, manifest: Manifest) -> str | None:
        """Which of the captioner's sets is meant; None where there is none."""
        chosen = self._config.caption_set or self._own_caption_set
        if chosen is not None:
            return chosen
        where = pc.field("kind") != CaptionKind.original.value
        sets = sorted(manifest.read("captions", ["caption_set"], where=where)["caption_set"].unique().to_pylist())
        if len(sets) > 1:
            raise ConfigError(f"shard.caption_set: there are captions of {len(sets)} sets, name one: {', '.join(sets)}")
        return sets[0] if sets else None


def _in_groups(layout: Sequence[Leaf]) -> Iterator[list[Leaf]]:
    """Neighbouring shards, of about so many clips together."""
    group: list[Leaf] = []
    for leaf in layout:
        group.append(leaf)
        if leaf.stop - group[0].start >= _CLIPS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _by_clip(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row.pop("clip_id"): row for row in table.to_pylist()}


def _given(scores: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scores.items() if value is not None}


def _input(shard: str, what: Literal["latents", "texts"], samples: Collection[Any]) -> ShardInput:
    return ShardInput(shard, what, json.dumps(samples, separators=(",", ":")), len(samples))
