"""The steps that make what training reads, wired: latents, and shards of latents and texts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from infra.config import RunConfig
from pipeline.dag import Columns, InputStep, Step, TableStep
from pipeline.ledger import UnitParts
from pipeline.media import MediaLimits
from pipeline.storage import spooled
from schemas import ConfigError, digest
from trainer.autoencoder import find_autoencoder
from trainer.encode import EncodeClips
from trainer.encode_inputs import READS as ENCODE_READS
from trainer.encode_inputs import EncodeInput, encode_inputs
from trainer.shard import PackShards, settle_shards
from trainer.shard_inputs import READS as SHARD_READS
from trainer.shard_inputs import ShardContents, ShardInput
from trainer.text_encoder import find_text_encoder

_CHANNELS = 3
_SPARE_BYTES = 64 * 2**20


def encode_step(config: RunConfig, limits: MediaLimits) -> Step:
    """The latents of bucketed clips.

    Raises:
        ConfigError: The autoencoder cannot be had, or the buckets are not on its grid.
    """
    section = config.encode
    if section.autoencoder.model is None:
        missing = "needs encode.autoencoder.model"
        return _not_configured("encode", EncodeClips.version, ENCODE_READS, EncodeClips.writes, missing)
    assert config.dataset is not None
    source = find_autoencoder(section.autoencoder)
    stride, patch = config.bucket.vae_stride, config.bucket.patch
    if any(have % need for have, need in zip(stride, source.stride, strict=True)):
        raise ConfigError(
            f"bucket.vae_stride is {list(stride)}, and encode.autoencoder.model, a {source.class_name}, "
            f"compresses by {list(source.stride)}: take that"
        )
    cell = (stride[1] * patch[1], stride[2] * patch[2])
    # A decoder answers with all frames of a clip at once, and no clip has more than the budget.
    clip_bytes = config.bucket.token_budget * stride[0] * cell[0] * cell[1] * _CHANNELS + _SPARE_BYTES
    limits = replace(limits, max_reply_bytes=max(limits.max_reply_bytes, clip_bytes))
    stage = EncodeClips(section, source, cell, config.dataset, limits, spooled)

    def parts(item: EncodeInput) -> UnitParts:
        return UnitParts(
            stage=stage.name,
            version=stage.version,
            config=stage.preprocess_digest,
            models=source.digest,
            upstream=item.upstream,
        )

    return InputStep(
        stage=stage,
        inputs=encode_inputs,
        parts=parts,
        models={"autoencoder": source.digest},
        own={"latents": ("latent_set", stage.latent_set)},
    )


def shard_step(config: RunConfig, encode: Step, caption: InputStep) -> Step:
    """The shards of latents and texts.

    Args:
        config: Of the run.
        encode: What makes the latents.
        caption: The captioner, configured or not.

    Raises:
        ConfigError: The text encoder cannot be had.
    """
    section = config.shard
    if section.text_encoder.model is None:
        missing = "needs shard.text_encoder.model"
        return _not_configured("shard", PackShards.version, SHARD_READS, PackShards.writes, missing)
    assert config.dataset is not None
    source = find_text_encoder(section.text_encoder)
    # Without an autoencoder the run ends before this step, whose sets then have no name.
    latent_set = ""
    if isinstance(encode, InputStep) and isinstance(encode.stage, EncodeClips):
        latent_set = encode.stage.latent_set
    # Captions may also have come with the footage, or be those of an earlier run: there need be no captioner now.
    own_caption_set = None if caption.missing else caption.own["captions"][1]
    reads = {name: columns for name, columns in SHARD_READS.items() if name != "captions" or not caption.missing}
    stage = PackShards(section, source, latent_set, config.dataset, reads)
    contents = ShardContents(section, latent_set, source.digest, own_caption_set)

    def parts(item: ShardInput) -> UnitParts:
        is_text = item.what == "texts"
        return UnitParts(
            stage=stage.name,
            version=stage.version,
            config=digest(section.dtype if is_text else ""),
            models=source.digest if is_text else digest({}),
            upstream=item.upstream,
        )

    return InputStep(
        stage=stage,
        inputs=contents.inputs,
        parts=parts,
        models={"text_encoder": source.digest},
        settle=partial(settle_shards, contents=contents, dataset=config.dataset),
    )


def _not_configured(name: str, version: int, reads: Columns, writes: tuple[str, ...], missing: str) -> TableStep:
    return TableStep(
        name=name,
        version=version,
        reads=reads,
        writes=writes,
        compute=lambda dataset: None,
        config="",
        missing=missing,
    )
