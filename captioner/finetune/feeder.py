"""Batches of a training, prepared while the model learns from those before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np

from captioner.config import FramesConfig
from captioner.engine import Window
from captioner.finetune.batches import Share
from captioner.finetune.examples import Example, Examples
from captioner.finetune.pairs import CaptionPair
from captioner.frames import ClipReader, OpenSource
from pipeline.media import MediaLimits
from schemas import MediaError

_AHEAD = 2
"""Batches that are prepared before they are needed."""
Asked = tuple[Share, Callable[[CaptionPair], tuple[str, str]]]
"""A rank's share of a step, and what is asked and answered about a clip."""


class Feeder:
    """Reads clips in decoders beside the training, and makes tensors of them.

    Args:
        pairs: All clips.
        frames: What is seen of one.
        examples: Makes the tensors.
        readers: How many decoders.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
        unreadable: Told of each clip that cannot be read; the training goes on without it.
    """

    def __init__(
        self,
        pairs: Sequence[CaptionPair],
        frames: FramesConfig,
        examples: Examples,
        readers: int,
        limits: MediaLimits,
        open_source: OpenSource,
        unreadable: Callable[[str, MediaError], None],
    ) -> None:
        self._pairs = pairs
        self._examples = examples
        self._unreadable = unreadable
        self._black = Window(np.zeros((1, frames.grid_px, frames.grid_px, 3), np.uint8), (0.0,))
        self._readers = [ClipReader(frames, limits, open_source) for _ in range(readers)]
        self._free: SimpleQueue[ClipReader] = SimpleQueue()
        for reader in self._readers:
            self._free.put(reader)
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix="finetune-reader")
        self._making = ThreadPoolExecutor(1, thread_name_prefix="finetune-tensors")

    def __call__(self, asked: Iterator[Asked]) -> Iterator[list[dict[str, Any]]]:
        """The micro-batches of each step, in order."""
        ahead: deque[Future[list[dict[str, Any]]]] = deque()
        for share, wording in asked:
            ahead.append(self._started(share, wording))
            if len(ahead) > _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def close(self) -> None:
        """End the decoders."""
        self._reading.shutdown(cancel_futures=True)
        self._making.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.close()

    def _started(self, share: Share, wording: Callable[[CaptionPair], tuple[str, str]]) -> Future[list[dict[str, Any]]]:
        windows = [[self._reading.submit(self._read, self._pairs[index]) for index, _ in micro] for micro in share]

        def make() -> list[dict[str, Any]]:
            batches = []
            for micro, futures in zip(share, windows, strict=True):
                seen = [future.result() for future in futures]
                batches.append(self._tensors(micro, seen, wording))
            return batches

        return self._making.submit(make)

    def _tensors(
        self, micro: Sequence[tuple[int, bool]], seen: Sequence[Window | None], wording: Any
    ) -> dict[str, Any]:
        # Every rank takes as many micro-batches of as many clips: in the place of one that cannot be read stands
        # another, from which nothing is learnt.
        stand_in = next((window for window in seen if window is not None), self._black)
        made = []
        for (index, counts), window in zip(micro, seen, strict=True):
            prompt, answer = wording(self._pairs[index])
            made.append(Example(window or stand_in, prompt, answer, counts and window is not None))
        return self._examples(made)

    def _read(self, pair: CaptionPair) -> Window | None:
        reader = self._free.get()
        try:
            return reader.read(pair.video.uri, pair.video.probed(), pair.span, from_start=pair.video.is_repaired)
        except MediaError as error:
            self._unreadable(pair.span.clip_id, error)
            return None
        finally:
            self._free.put(reader)
