"""Windows of clips as tensors, each known from the number of a step and a place in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache

import numpy as np
import torch

from pipeline.media import MediaLimits
from schemas import ConfigError, MediaError
from trainer.clip_reader import BucketReader
from trainer.prefetch import prefetched
from trainer.vae_train.clips import TrainingClip
from trainer.vae_train.config import VaeTrainConfig
from trainer.vae_train.window import MIDDLE, Look, Stride, window, window_shape

OpenSource = Callable[[str], AbstractContextManager[str]]
_TRIES = 8
"""Clips that are tried, one after the other, for one place in a batch."""


class Windows:
    """Reads windows of clips, ahead of whoever takes them.

    Args:
        config: How much is seen.
        clips: Of what.
        stride: The model's grid.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
    """

    def __init__(
        self,
        config: VaeTrainConfig,
        clips: Sequence[TrainingClip],
        stride: Stride,
        limits: MediaLimits,
        open_source: OpenSource,
    ) -> None:
        self._config = config
        self._clips = clips
        self._stride = stride
        self._open_source = open_source
        self._readers = [BucketReader(stride[1:], limits) for _ in range(config.readers)]
        self._shapes = [window_shape(clip, config.window, stride) for clip in clips]
        self._order = lru_cache(maxsize=2)(self._order_of)
        self._num_tried = self._num_bad = 0
        self._why = ""

    def close(self) -> None:
        """End the decoders."""
        for reader in self._readers:
            reader.close()

    def batches(self, done: int) -> Iterator[list[torch.Tensor]]:
        """The batches of the steps that are left: float32 (3, F, H, W) in [-1, 1] each, of any shapes.

        Raises:
            ConfigError: Too many clips cannot be read.
        """
        size = self._config.batch_clips
        places = ((step, place) for step in range(done, self._config.steps) for place in range(size))
        batch: list[torch.Tensor] = []
        for _, found in prefetched(self._readers, places, self._drawn):
            if isinstance(found, MediaError):
                raise ConfigError(f"no clip can be read: {found}") from found
            batch.append(found)
            if len(batch) == size:
                yield batch
                batch = []

    def middles(self, num: int) -> Iterator[torch.Tensor]:
        """The middle windows of the first clips that can be read, one each."""

        def read(reader: BucketReader, clip: TrainingClip) -> torch.Tensor | None:
            return self._read(reader, clip, MIDDLE)

        for _, found in prefetched(self._readers, self._clips[:num], read):
            if isinstance(found, torch.Tensor):
                yield found

    def _drawn(self, reader: BucketReader, place: tuple[int, int]) -> torch.Tensor:
        """One window of a batch; of the next clip where one cannot be read."""
        step, index = place
        rng = np.random.default_rng((self._config.seed, 1, step, index))
        look = Look.drawn(rng)
        for number in range(_TRIES):
            clip = self._clips[self._chosen(step, index, number)]
            # What starts later may lack a frame where times are uneven.
            for tried in (look, MIDDLE):
                try:
                    found = self._read(reader, clip, tried)
                except MediaError as error:
                    self._why = f"{clip.uri}: {error}"
                    continue
                if found is not None:
                    self._note(bad=False)
                    return found
                break
            self._note(bad=True)
        raise ConfigError(f"{_TRIES} clips in turn cannot be read; the last: {self._why}")

    def _chosen(self, step: int, index: int, number: int) -> int:
        """Which clip: each pass over all of them has an order of its own, see `pass_order`."""
        size, total = self._config.batch_clips, len(self._clips)
        batches_a_pass = max(1, total // size)
        order = self._order(step // batches_a_pass)
        return order[(step % batches_a_pass * size + index + number) % total]

    def _order_of(self, number: int) -> list[int]:
        return pass_order(self._shapes, self._config.batch_clips, np.random.default_rng((self._config.seed, 0, number)))

    def _note(self, *, bad: bool) -> None:
        self._num_tried += 1
        self._num_bad += bad
        if self._num_bad > 10 and self._num_bad > self._config.max_bad_share * self._num_tried:
            raise ConfigError(
                f"{self._num_bad} of {self._num_tried} clips cannot be read, more than max_bad_share = "
                f"{self._config.max_bad_share:g}; the last: {self._why}"
            )

    def _read(self, reader: BucketReader, clip: TrainingClip, look: Look) -> torch.Tensor | None:
        """A window, float32 (3, F, H, W) in [-1, 1]; None of a clip that has none.

        Raises:
            MediaError: It cannot be read.
        """
        wanted = window(clip, look, self._config.window, self._stride)
        if wanted is None:
            self._why = f"{clip.uri}: {clip.crop[2]}x{clip.crop[3]} is less than a step of the model's grid"
            return None
        with self._open_source(clip.uri) as path:
            frames = reader.read(path, clip.probe, wanted, from_start=clip.is_repaired)
        return torch.from_numpy(frames.pixels).permute(3, 0, 1, 2).float() / 127.5 - 1


def pass_order(shapes: Sequence[tuple[int, ...]], size: int, rng: np.random.Generator) -> list[int]:
    """The order of one pass over all clips, in which nearly every batch holds clips of one shape.

    Args:
        shapes: Of each clip's window.
        size: Clips of a batch.
        rng: Draws the order.
    """
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index in rng.permutation(len(shapes)).tolist():
        by_shape.setdefault(shapes[index], []).append(index)
    whole, rest = [], []
    for shape in sorted(by_shape):
        members = by_shape[shape]
        full = len(members) - len(members) % size
        whole += [members[k : k + size] for k in range(0, full, size)]
        rest += members[full:]
    # What fills no batch of its own shape goes together.
    return [index for place in rng.permutation(len(whole)).tolist() for index in whole[place]] + rest
