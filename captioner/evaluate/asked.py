"""What a captioner says of clips, for measuring."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from captioner.config import FramesConfig
from captioner.engine import CaptionEngine, CaptionRequest, ListFeed, Window
from captioner.evaluate.config import RivalConfig
from captioner.finetune.pairs import CaptionPair
from captioner.frames import ClipReader, OpenSource
from captioner.prompt import find_prompt
from captioner.structured import SCHEMA, clean_text, read_structured, render
from pipeline.media import MediaLimits
from schemas import MediaError
from schemas.caption import CaptionKind

_AT_ONCE = 64
"""Clips whose pictures are in memory."""


@dataclass(frozen=True, slots=True)
class Said:
    """One captioner's answers by clip id."""

    texts: dict[str, str]
    """The dense text; of a captioner without structure its answer as it is."""
    refused: tuple[str, ...]
    """Clips with an answer that could not be used."""
    unreadable: tuple[str, ...]
    """Clips that do not decode."""


def captions_of(
    rival: RivalConfig,
    engine: CaptionEngine,
    pairs: Sequence[CaptionPair],
    frames: FramesConfig,
    readers: int,
    *,
    limits: MediaLimits,
    open_source: OpenSource,
) -> Said:
    """Ask a captioner about clips, at temperature 0.

    Args:
        rival: What it is asked, and in which form it answers.
        engine: Its model, set up.
        pairs: The clips.
        frames: What is seen of one.
        readers: How many decoders.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
    """
    prompt = find_prompt(rival.prompt).text
    texts: dict[str, str] = {}
    refused: list[str] = []
    unreadable: list[str] = []
    with _Windows(frames, readers, limits, open_source) as windows:
        for start in range(0, len(pairs), _AT_ONCE):
            share = pairs[start : start + _AT_ONCE]
            seen = windows.of(share)
            unreadable += [pair.span.clip_id for pair in share if pair.span.clip_id not in seen]
            requests = [
                CaptionRequest(
                    request_id=clip_id,
                    prompt=prompt,
                    window=window,
                    max_tokens=rival.max_tokens,
                    schema=SCHEMA if rival.is_structured else None,
                )
                for clip_id, window in seen.items()
            ]
            for reply in engine.generate(ListFeed(requests)):
                try:
                    texts[reply.request_id] = _dense(reply.text, rival.is_structured)
                except ValueError:
                    refused.append(reply.request_id)
    return Said(texts, tuple(refused), tuple(unreadable))


def _dense(answer: str, is_structured: bool) -> str:
    """The text that is measured.

    Raises:
        ValueError: There is none.
    """
    if is_structured:
        return render(read_structured(answer))[CaptionKind.dense]
    if not clean_text(answer):
        raise ValueError("the answer is empty")
    return clean_text(answer)


class _Windows:
    """Reads clips in several decoders; the arguments are those of `captions_of`."""

    def __init__(self, frames: FramesConfig, readers: int, limits: MediaLimits, open_source: OpenSource) -> None:
        self._readers = [ClipReader(frames, limits, open_source) for _ in range(readers)]
        self._free: SimpleQueue[ClipReader] = SimpleQueue()
        for reader in self._readers:
            self._free.put(reader)
        self._threads = ThreadPoolExecutor(readers)

    def __enter__(self) -> _Windows:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.close()

    def of(self, pairs: Sequence[CaptionPair]) -> dict[str, Window]:
        """What is seen of clips, by id; without those that cannot be read."""
        seen = zip(pairs, self._threads.map(self._read, pairs), strict=True)
        return {pair.span.clip_id: window for pair, window in seen if window is not None}

    def _read(self, pair: CaptionPair) -> Window | None:
        reader = self._free.get()
        try:
            return reader.read(pair.video.uri, pair.video.probed(), pair.span, from_start=pair.video.is_repaired)
        except MediaError:
            # Told by the caller: the clip is not among those that were seen.
            return None
        finally:
            self._free.put(reader)
