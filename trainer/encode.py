"""Stage `encode`: the autoencoder makes a latent of each bucketed clip.

A latent is computed once for a clip, an autoencoder and a way to prepare frames. One that lies there already and was
made from the same is not made again, so that a stop in the middle of a long video costs one clip.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pipeline.media import MediaLimits
from pipeline.shards import Sample
from schemas import TRANSIENT, ErrorKind, LatentShape, MediaError, Resources, Result, Row, digest
from trainer.autoencoder import AutoencoderSource, load
from trainer.clip_reader import PREPROCESS_VERSION, BucketReader, ClipFrames, OpenSource
from trainer.encode_config import EncodeConfig
from trainer.encode_inputs import READS, BucketedClip, EncodeInput
from trainer.encoded import EncodedStore
from trainer.mp4 import mp4_bytes
from trainer.prefetch import prefetched
from trainer.shard_sets import LATENT_MEMBER, LATENT_TENSOR, MEDIA_MEMBER, latent_set_name
from trainer.tensors import tensor_bytes

if TYPE_CHECKING:
    import torch

    from trainer.autoencoder.protocol import Autoencoder


class EncodeClips:
    """Stage: one `Result` a video, with a row of `latents` for each clip that could be encoded.

    Args:
        config: How.
        source: The autoencoder.
        cell: One step of the buckets' grid (height, width), in pixels.
        dataset: Where latents go.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
    """

    name = "encode"
    version = 1
    reads: Mapping[str, tuple[str, ...]] = READS
    writes = ("latents",)
    batch_size = 1

    def __init__(
        self,
        config: EncodeConfig,
        source: AutoencoderSource,
        cell: tuple[int, int],
        dataset: str,
        limits: MediaLimits,
        open_source: OpenSource,
    ) -> None:
        self.config = config
        self.source = source
        self.resources = Resources(cpus=config.cpus, gpus=config.gpus)
        self.preprocess_digest = digest([PREPROCESS_VERSION, list(cell), config.output_digest()])
        self.latent_set = latent_set_name(source.digest, self.preprocess_digest)
        self._cell = cell
        self._limits = limits
        self._open_source = open_source
        self._store = EncodedStore(dataset, self.latent_set)
        self._readers: list[BucketReader] = []
        self._model: Autoencoder | None = None

    def load(self, row: Row) -> EncodeInput:
        """The input that `to_row` gave."""
        return EncodeInput(**row)  # type: ignore[arg-type]

    def failed(self, item: EncodeInput, error: MediaError) -> Result:
        """A video that could not be done has no rows."""
        return Result(item.video_id, error=error)

    def setup(self) -> None:
        """Load the autoencoder and start the decoders."""
        import torch

        on_gpu = bool(self.config.gpus) and torch.cuda.is_available()
        if not on_gpu:
            # More threads would share the worker's cores, and could add up in another order.
            torch.set_num_threads(max(1, int(self.config.cpus)))
        self._model = load(self.source, "cuda" if on_gpu else "cpu")
        self._readers = [BucketReader(self._cell, self._limits) for _ in range(self.config.readers)]

    def close(self) -> None:
        """Let go of both."""
        for reader in self._readers:
            reader.close()
        self._model = None

    def __call__(self, items: Sequence[EncodeInput]) -> Iterator[Result]:
        """Encode the clips of the videos, one video after the other."""
        for item in items:
            yield self._video(item)

    def _video(self, item: EncodeInput) -> Result:
        started = time.monotonic()
        clips = item.listed()
        rows = {clip.clip_id: row for clip in clips if (row := self._made_before(item, clip)) is not None}
        missing = [clip for clip in clips if clip.clip_id not in rows]
        errors: list[MediaError] = []
        num_frames = 0
        for clip, frames in self._frames(item, missing):
            try:
                if isinstance(frames, MediaError):
                    raise frames
                num_frames += len(frames.pixels)
                rows[clip.clip_id] = self._encode(item, clip, frames)
            except MediaError as error:
                if error.kind is ErrorKind.storage:
                    raise
                errors.append(error)
        self._store.keep_only(item.video_id, rows.keys())
        ordered = [rows[clip_id] for clip_id in sorted(rows)]
        busy_s = time.monotonic() - started
        return Result(
            item.video_id, {"latents": ordered}, error=_told(errors, len(clips)), busy_s=busy_s, frames=num_frames
        )

    def _frames(
        self, item: EncodeInput, clips: Sequence[BucketedClip]
    ) -> Iterator[tuple[BucketedClip, ClipFrames | MediaError]]:
        """What is read of each clip, some ahead; nothing is opened for none."""
        if not clips:
            return
        probe = item.probed()
        with ExitStack() as stack:
            try:
                path = stack.enter_context(self._open_source(item.uri))
            except MediaError as error:
                yield from ((clip, error) for clip in clips)
                return

            def read(reader: BucketReader, clip: BucketedClip) -> ClipFrames:
                return reader.read(path, probe, clip, from_start=item.is_repaired)

            yield from prefetched(self._readers, clips, read)

    def _encode(self, item: EncodeInput, clip: BucketedClip, frames: ClipFrames) -> Row:
        """Make one clip's latent; give its row."""
        assert self._model is not None
        latent = latent_of(self._model, frames, self.config.dtype)
        shape = LatentShape(*latent.shape)
        about = {
            **self._about(item, clip),
            "times_s": list(frames.times_s),
            "latent": {**shape._asdict(), "dtype": self.config.dtype},
        }
        members = {LATENT_MEMBER: tensor_bytes({LATENT_TENSOR: latent})}
        if self.config.media_crf is not None:
            members[MEDIA_MEMBER] = mp4_bytes(frames, self.config.media_crf)
        sample = self._store.put(item.video_id, clip.clip_id, about, members)
        return self._row(item, clip, shape, sample)

    def _made_before(self, item: EncodeInput, clip: BucketedClip) -> Row | None:
        """The row of a latent that lies there already, whole and made from the same; None without."""
        sample = self._store.find(item.video_id, clip.clip_id, self._about(item, clip))
        if sample is None:
            return None
        shape = self.source.latent_shape(clip.bucket.pixels)
        return self._row(item, clip, shape, sample)

    def _about(self, item: EncodeInput, clip: BucketedClip) -> dict[str, object]:
        """All that a latent depends on."""
        bucket = clip.bucket
        time_base = list(clip.time_base.as_integer_ratio())
        return {
            "clip_id": clip.clip_id,
            "video_id": item.video_id,
            "span": {"start_pts": clip.start_pts, "end_pts": clip.end_pts, "time_base": time_base},
            "crop": list(clip.crop),
            "bucket": {
                "frames": bucket.frames,
                "height": bucket.height,
                "width": bucket.width,
                "frame_rate": list(bucket.frame_rate.as_integer_ratio()),
                "frame_step": bucket.frame_step,
                "num_tokens": clip.num_tokens,
            },
            "digests": {"autoencoder": self.source.digest, "preprocess": self.preprocess_digest},
        }

    def _row(self, item: EncodeInput, clip: BucketedClip, shape: LatentShape, sample: Sample) -> Row:
        bucket = clip.bucket
        return {
            "clip_id": clip.clip_id,
            "video_id": item.video_id,
            "latent_set": self.latent_set,
            "autoencoder_digest": self.source.digest,
            "preprocess_digest": self.preprocess_digest,
            "frames": bucket.frames,
            "height": bucket.height,
            "width": bucket.width,
            "frame_rate_num": bucket.frame_rate.numerator,
            "frame_rate_den": bucket.frame_rate.denominator,
            **{f"latent_{name}": value for name, value in shape._asdict().items()},
            "num_tokens": clip.num_tokens,
            "num_bytes": sum(map(len, sample.members.values())),
            "sha256": sample.sha256,
        }


def latent_of(model: Autoencoder, frames: ClipFrames, dtype: str) -> torch.Tensor:
    """The latent of a clip's frames, (channels, F', H', W') of the type in which it is kept, on the CPU.

    Raises:
        MediaError: It is not finite in that type, or takes more memory than the device has.
    """
    import torch

    pixels = torch.from_numpy(frames.pixels).permute(3, 0, 1, 2).float() / 127.5 - 1
    try:
        latent = model.encode(pixels).to(getattr(torch, dtype)).cpu()
    except torch.OutOfMemoryError as error:
        size = "x".join(map(str, pixels.shape[1:]))
        raise MediaError(
            ErrorKind.out_of_memory, f"{size} pixels are too many for the device: encode.autoencoder.tile_px"
        ) from error
    if not bool(latent.isfinite().all()):
        raise MediaError(ErrorKind.engine, f"the autoencoder gives values that are not finite as {dtype}")
    return latent


def _told(errors: Sequence[MediaError], num_clips: int) -> MediaError | None:
    """What went wrong, as one; of several kinds one that may pass, so that another run tries the video again."""
    if not errors:
        return None
    first = next((one for one in errors if one.kind in TRANSIENT), errors[0])
    return MediaError(first.kind, f"{len(errors)} of {num_clips} clips have no latent: {first}")
