"""Batches of pictures and captions, each known from its number alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.clip.model import Picture, Tokenizer
from pipeline.clip.pairs import CaptionedClip
from pipeline.clip.train_config import ClipTrainConfig
from schemas import ConfigError

if TYPE_CHECKING:
    import torch


class Batches:
    """What each step learns from: a map from the number of a step to its batch, as torch's DataLoader reads one.

    Each pass over the clips has an order of its own, and of each clip shows one preview picture through a window.
    """

    def __init__(
        self,
        config: ClipTrainConfig,
        clips: Sequence[CaptionedClip],
        transform: Callable[[Any], torch.Tensor],
        tokenizer: Tokenizer,
    ) -> None:
        self._config = config
        self._clips = clips
        self._transform = transform
        self._tokenizer = tokenizer

    def __len__(self) -> int:
        return self._config.steps

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures, float32 (B, 3, size, size), and tokens, int64 (B, context)."""
        import torch
        from PIL import Image

        rng = np.random.default_rng((self._config.seed, 1, step))
        batch = [self._clips[index] for index in self.indices(step)]
        pictures = [_glimpse(clip, rng, self._config.min_crop) for clip in batch]
        return (
            torch.stack([self._transform(Image.fromarray(picture)) for picture in pictures]).contiguous(
                memory_format=torch.channels_last
            ),
            self._tokenizer([clip.text for clip in batch]),
        )

    def indices(self, step: int) -> list[int]:
        """Which clips a step sees; a pass over all leaves out the last few that fill no batch."""
        size = self._config.batch_size
        per_pass = len(self._clips) // size
        order = np.random.default_rng((self._config.seed, 0, step // per_pass)).permutation(len(self._clips))
        first = (step % per_pass) * size
        return [int(index) for index in order[first : first + size]]

    def after(self, done: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of the steps that are left."""
        from torch.utils.data import DataLoader

        # One batch an item: torch neither mixes nor collates, and workers only prepare ahead.
        loader: DataLoader[Any] = DataLoader(
            self,  # type: ignore[arg-type]
            batch_size=None,
            sampler=range(done, self._config.steps),
            num_workers=self._config.workers,
        )
        return iter(loader)


def _glimpse(clip: CaptionedClip, rng: np.random.Generator, min_crop: float) -> Picture:
    """One of a clip's pictures, seen through a window of its own aspect."""
    pictures = clip.pictures()
    chosen, share, across, down = rng.random(), rng.uniform(min_crop, 1), rng.random(), rng.random()
    if not pictures:
        raise ConfigError(
            f"{clip.dataset.root}: clip {clip.clip_id} has a caption and no preview picture to go with it"
        )
    picture = pictures[int(chosen * len(pictures))]
    height, width = picture.shape[:2]
    rows, columns = max(round(height * share), 1), max(round(width * share), 1)
    top, left = int(down * (height - rows + 1)), int(across * (width - columns + 1))
    return picture[top : top + rows, left : left + columns]
