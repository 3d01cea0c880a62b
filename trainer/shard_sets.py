"""Sets of shards: what they are called, and what the samples in them hold.

Two sets go together, with the same keys in the same order and in shards of the same numbers, so that new captions
write texts anew and leave latents as they are. What a shard is, byte by byte, is told in `pipeline.shards`.

```text
shards/latent-1a2b3c4d5e6f/000042.tar      named by the autoencoder and by how frames are prepared for it
    KEY.json                version, key, members, sha256; and
        clip_id, video_id
        span                {start_pts, end_pts, time_base: [num, den]}
        crop                [x, y, width, height] in the displayed picture, in pixels
        bucket              {frames, height, width, frame_rate: [num, den], frame_step, num_tokens}
        times_s             when each of the bucket's frames is shown, in seconds from the first: true times
        latent              {channels, frames, height, width, dtype}
        scores              {name: number, text or truth}: what scorers and selection say of the clip, nulls left out
        digests             {autoencoder, preprocess}
    KEY.latent.safetensors  one tensor `latent`, (channels, frames, height, width), normalised to about unit variance
    KEY.mp4                 where `encode.media_crf` asks for it: the bucket's frames at their times, H.264

shards/text-0f9e8d7c6b5a/000042.tar        named by the text encoder, the choice of captions, and the set of latents
    KEY.json                version, key, members, sha256; and
        clip_id, video_id
        captions            {kind: {caption_set, text, num_tokens}}, kinds of `schemas.caption.CaptionKind`
        digests             {text_encoder}
    KEY.text.safetensors    one tensor a caption under the name of its kind, (tokens, width); no padding, any length
```
Both sets hold every clip that was encoded, so that latents stay as they are whatever becomes of captions. A clip
without any has empty `captions`, no tensors and empty lists in its row: whether it is trained on is the trainer's
choice.

In the table `samples` a clip has one row for each set. A row of latents has the columns `latent_*`, `num_tokens`
(patches of the bucket's grid, text not counted), `autoencoder_digest` and `preprocess_digest`; a row of texts has
`caption_kinds`, `caption_sets` and `num_text_tokens` (lists of one length), `text_encoder_digest`, and in `latent_set`
the set of latents that it goes with. `shard` is `SET/000042.tar`, below `shards/`.

Which clips share a shard depends on the clips and on nothing else, see `trainer.shard_layout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.manifest import Manifest
from schemas import ConfigError, digest

LATENT_MEMBER = "latent.safetensors"
LATENT_TENSOR = "latent"
MEDIA_MEMBER = "mp4"
TEXT_MEMBER = "text.safetensors"
_DIGITS = 12


def latent_set_name(autoencoder_digest: str, preprocess_digest: str) -> str:
    """The set of latents that an autoencoder makes of frames prepared in one way."""
    return f"latent-{digest([autoencoder_digest, preprocess_digest])[:_DIGITS]}"


def text_set_name(latent_set: str, text_encoder_digest: str, choice: Mapping[str, object]) -> str:
    """The set of texts for a set of latents.

    Args:
        latent_set: What it goes with.
        text_encoder_digest: Of the text encoder.
        choice: Which captions, and in which form they are kept.
    """
    return f"text-{digest([latent_set, text_encoder_digest, dict(choice)])[:_DIGITS]}"


@dataclass(frozen=True, slots=True)
class SetPair:
    """A set of texts and the set of latents that it goes with."""

    latent_set: str
    text_set: str


def set_pairs(manifest: Manifest) -> list[SetPair]:
    """Every pair of sets that the table `samples` has, in order of names."""
    rows = manifest.read("samples", ["shard_set", "latent_set"])
    groups = rows.group_by(["shard_set", "latent_set"], use_threads=False).aggregate([]).to_pylist()
    pairs = {(row["latent_set"], row["shard_set"]) for row in groups if row["shard_set"] != row["latent_set"]}
    return [SetPair(*pair) for pair in sorted(pairs)]


def find_pair(manifest: Manifest, text_set: str | None = None) -> SetPair:
    """The sets to train from.

    Args:
        manifest: The dataset's tables.
        text_set: A set of texts by its name; may be left out where there is only one.

    Raises:
        ConfigError: There is none, or none of this name, or several and no name.
    """
    pairs = set_pairs(manifest)
    named = [pair for pair in pairs if text_set in (None, pair.text_set)]
    if len(named) == 1:
        return named[0]
    if not pairs:
        raise ConfigError(
            f"{manifest.root}: has no shards; `rushes run` makes them once encode and shard are configured"
        )
    known = ", ".join(pair.text_set for pair in pairs)
    if text_set is None:
        raise ConfigError(f"{manifest.root}: has several sets of shards, name one: {known}")
    raise ConfigError(f"{manifest.root}: has no set {text_set!r}; it has {known}")
