"""Whether what happens in an hour of film is named, with its time, in the caption of the whole film."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from captioner import CaptionConfig, CaptionVideos, ExtractMerger, ModelMerger, find_prompt, make_engine, video_parts
from captioner.checks import words_of
from captioner.engine import CaptionEngine, CaptionReply, Feed
from captioner.random_start import RandomStartConfig, random_start
from captioner.video_captions import Merger
from captioner.words import PLAIN, stem
from infra.bench.footage import once
from infra.bench.table import Figure
from infra.demo.captions import caption
from infra.demo.draw import draw_scene
from pipeline.manifest import Manifest
from schemas import Resources

_NUM_CLIPS, _CLIP_S = 720, 5.0
_CONTEXT = 8192
_NEAR_S = 5.0
_TARGET = 0.9
_SET = "planted"
_WHO = (
    *("zebra", "violinist", "ferry", "clown", "lantern", "tractor", "penguin", "balloon", "monk", "crane"),
    *("piano", "wolf", "drone", "juggler", "canoe", "statue", "parrot", "bicycle", "chef", "comet"),
)
_WHAT = (
    *("knocks over a ladder", "bursts into flames", "sinks in the harbour", "drops a vase", "swallows a spoon"),
    *("crosses the bridge", "slips on ice", "opens an umbrella", "shatters a window", "salutes the crowd"),
    *("rolls down the stairs", "vanishes in smoke", "rings a bell", "chases a butterfly", "collapses in the mud"),
    *("unrolls a carpet", "climbs the mast", "throws confetti", "wakes a bear", "signs a letter"),
)
_COLLISION = re.compile(r"[^.]*\b(?:runs into|hits|bumps into)\b[^.]*\.")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens once."""

    sentence: str
    time_s: float


@dataclass(frozen=True, slots=True)
class Hour:
    """The captions of an hour's clips, and what was planted in them."""

    captions: Sequence[str]
    planted: Sequence[Event]
    """In words that nothing else has."""
    collisions: Sequence[Event]
    """Of the world's own, in words that everything there is told in."""


def draw_hour(seed: int, num_clips: int = _NUM_CLIPS) -> Hour:
    """Captions of drawn scenes of five seconds, with twenty planted events; scenes may also have collisions."""
    rng = np.random.default_rng((seed, 3600))
    texts = [caption(draw_scene(rng, _CLIP_S)).dense for _ in range(num_clips)]
    deeds = rng.permutation(_WHAT)
    places = sorted(rng.choice(num_clips, len(_WHO), replace=False).tolist())
    planted = []
    for who, what, place in zip(rng.permutation(_WHO), deeds, places, strict=True):
        event = Event(f"A {who} {what}.", _CLIP_S * (place + float(rng.random())))
        sentences = re.split(r"(?<=\.) ", texts[place])
        sentences.insert(int(rng.integers(len(sentences) + 1)), event.sentence)
        texts[place] = " ".join(sentences)
        planted.append(event)
    collisions = [
        Event(found.group().strip(), _CLIP_S * (place + 0.5))
        for place, text in enumerate(texts)
        if (found := _COLLISION.search(text)) is not None
    ]
    return Hour(texts, planted, collisions)


def measure(cache: Path, *, seed: int = 0) -> list[Figure]:
    """Plant, caption the film from its clips' captions in both ways, and look for what was planted."""
    hour = draw_hour(seed)
    manifest = write_dataset(cache / "long-video-dataset", hour)
    model = once(cache / "long-video-model", partial(_small_model, hour))
    return [*extracted(manifest, hour), _by_model(manifest, model, hour)]


def extracted(manifest: Manifest, hour: Hour) -> list[Figure]:
    """What is named in the parts, and in the text that is made of their sentences."""
    row = _captioned(ExtractMerger(_config()), manifest)
    parts = [(part["start_s"], part["text"]) for part in row["parts"]]
    told = [(_seconds(mark), said) for *mark, said in re.findall(r"\[(\d+):(\d+):(\d+)\] ([^\[]*)", row["text"])]
    num_words = sum(len(words_of(said)) for _, said in told)
    return [
        _figure("in the parts", parts, hour.planted, _TARGET),
        _figure("in the parts, the world's own collisions", parts, hour.collisions, _TARGET),
        _figure(f"in the text of {num_words} words, extracted", told, hour.planted, _TARGET),
        _figure("in the text, the world's own collisions", told, hour.collisions, None),
    ]


def _figure(where: str, told: Sequence[tuple[float, str]], events: Sequence[Event], target: float | None) -> Figure:
    named = [event for event in events if any(event.sentence in said for _, said in told)]
    near = [event for event in events if is_near(event, told)]
    return Figure(
        name=f"events of an hour {where}, with times within {_NEAR_S:g} s",
        value=len(near) / len(events),
        at_least=target,
        note=f"{len(near)} of {len(events)}; named at all {len(named)}",
    )


def is_near(event: Event, told: Sequence[tuple[float, str]]) -> bool:
    """Whether it is named behind a time that is near its own."""
    return any(event.sentence in said and abs(time_s - event.time_s) <= _NEAR_S for time_s, said in told)


def _by_model(manifest: Manifest, model: Path, hour: Hour) -> Figure:
    """How a model of random weights fares: what it is asked must fit, what it says has no sense."""
    engine = {"model": str(model), "max_model_len": _CONTEXT, "max_num_seqs": 4, "dtype": "float32"}
    # Nothing is shown to it here, so that there is no need to find out how much memory the largest video takes.
    engine["arguments"] = {"skip_mm_profiling": True}
    config = _config(engine=engine, max_tries=1, video={"max_tokens": 64})
    watched = _Watched(make_engine(config.engine))
    row = _captioned(ModelMerger(config, watched, find_prompt("merge")), manifest)
    said = {stem(word) for word in words_of(row["text"] or "")}
    named = [event for event in hour.planted if _names(event) <= said]
    longest = max((reply.num_prompt_tokens or 0 for reply in watched.replies), default=0)
    fitting = sum(not reply.error for reply in watched.replies)
    return Figure(
        name=f"requests of an hour that fit into a context of {_CONTEXT} tokens",
        value=fitting / len(watched.replies),
        at_least=1.0,
        note=f"{fitting} of {len(watched.replies)} of vLLM, the longest {longest} tokens; with random weights its "
        f"text is {row['outcome']} and names {len(named)} of {len(hour.planted)} events",
    )


def _names(event: Event) -> set[str]:
    return {stem(word) for word in words_of(event.sentence) if word not in PLAIN}


class _Watched:
    def __init__(self, engine: CaptionEngine) -> None:
        self._engine = engine
        self.model_id, self.digest = engine.model_id, engine.digest
        self.setup, self.close = engine.setup, engine.close
        self.replies: list[CaptionReply] = []

    def generate(self, feed: Feed) -> Any:
        for reply in self._engine.generate(feed):
            self.replies.append(reply)
            yield reply


def _captioned(merger: Merger, manifest: Manifest) -> dict[str, Any]:
    stage = CaptionVideos(merger, _SET, Resources())
    stage.setup()
    (result,) = stage(list(video_parts(manifest, _SET, "dense", 0.0)))
    stage.close()
    if result.error is not None:
        print(f"  {merger.name}: {result.error}", file=sys.stderr, flush=True)
    (row,) = result.rows["video_captions"]
    return dict(row)


def _config(**values: Any) -> CaptionConfig:
    return CaptionConfig.model_validate(values)


def write_dataset(folder: Path, hour: Hour) -> Manifest:
    """A dataset with these captions and their times, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    manifest = Manifest(str(folder))
    ids = [{"clip_id": f"{place:032x}", "video_id": "f" * 64} for place in range(len(hour.captions))]
    starts = [_CLIP_S * place for place in range(len(ids))]
    manifest.append(
        "clips", [{**one, "start_s": start, "end_s": start + _CLIP_S} for one, start in zip(ids, starts, strict=True)]
    )
    shared = {"kind": "dense", "caption_set": _SET, "outcome": "success"}
    manifest.append("captions", [{**one, **shared, "text": text} for one, text in zip(ids, hour.captions, strict=True)])
    return manifest


def _small_model(hour: Hour, out: Path) -> None:
    random_start(RandomStartConfig(width=128, layers=2, max_tokens=_CONTEXT), hour.captions, out)


def _seconds(mark: Sequence[str]) -> float:
    hours, minutes, seconds = map(int, mark)
    return 3600.0 * hours + 60 * minutes + seconds
