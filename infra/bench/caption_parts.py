"""One part of the measurement of captioning: `python -m infra.bench.caption_parts PART FOLDER [URL]`.

`bare` and `http` ask a model and a server for the stored clips; `ready` and `decoding` run the stage over the same
clips, once with the stored frames and once with those that it decodes. Each prints a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from captioner import CaptionClips, CaptionConfig, find_prompt, make_engine
from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest, Feed, ListFeed
from captioner.frames import WindowReader
from captioner.vllm_engine import VllmEngine
from infra.bench.caption_clips import Setting, Stored, forced, open_decoder
from schemas import Resources

_NUM_WARM = 8
"""Clips before the clock starts."""


@dataclass(slots=True)
class Forced:
    """An engine that is made to write so many tokens, whose waiting and answers are noted."""

    engine: CaptionEngine
    setting: Setting
    replies: list[CaptionReply] = field(default_factory=list)
    busy_s: float = 0.0

    @property
    def model_id(self) -> str:
        """The engine's."""
        return self.engine.model_id

    @property
    def digest(self) -> str:
        """The engine's."""
        return self.engine.digest

    def setup(self) -> None:
        """Load it."""
        self.engine.setup()

    def close(self) -> None:
        """Let it go."""
        self.engine.close()

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        """The engine's answers."""
        watched = _Watched(feed, self.setting)
        began = time.monotonic()
        for reply in self.engine.generate(watched):
            if reply.finish == "error":
                raise RuntimeError(reply.error)
            self.replies.append(reply)
            yield reply
        self.busy_s += time.monotonic() - began - watched.waited_s


@dataclass(slots=True)
class _Watched:
    feed: Feed
    setting: Setting
    waited_s: float = 0.0

    def take(self, *, wait: bool) -> CaptionRequest | None:
        began = time.monotonic()
        request = self.feed.take(wait=wait)
        self.waited_s += time.monotonic() - began
        return None if request is None else forced(request, self.setting)


def bare(folder: Path, setting: Setting) -> dict[str, Any]:
    """`vllm.LLM.generate` on all clips at once."""
    requests = Stored(folder).requests(setting)
    engine = VllmEngine(_config(folder, setting).engine)
    engine.setup()
    # After it: vLLM is importable beside a CPU build of torch only once that is ready.
    from vllm import SamplingParams

    parameters = SamplingParams(
        temperature=0.0, max_tokens=setting.max_tokens, min_tokens=setting.max_tokens, ignore_eos=True
    )

    def all_of(some: Sequence[CaptionRequest]) -> list[Any]:
        said: list[Any] = engine.llm.generate([engine.prompt(request) for request in some], parameters, use_tqdm=False)
        return said

    all_of(requests[:_NUM_WARM])
    clock = Clock()
    outputs = all_of(requests)
    told = clock.read()
    engine.close()
    return {
        "tokens": sum(len(output.outputs[0].token_ids) for output in outputs),
        "prompt_tokens": sum(len(output.prompt_token_ids) for output in outputs),
        **told,
    }


def stage(folder: Path, setting: Setting, *, is_decoding: bool) -> dict[str, Any]:
    """The caption stage, as an executor runs it on one batch."""
    stored = Stored(folder)
    config = _config(folder, setting)
    model = VllmEngine(config.engine)
    engine = Forced(model, setting)
    open_reader = partial(_open_reader, None if is_decoding else stored, setting)
    made = CaptionClips(config, engine, find_prompt("short"), "bench", open_reader, Resources())
    made.setup()
    items = stored.inputs()
    list(made(items[:_NUM_WARM]))
    engine.replies, engine.busy_s = [], 0.0
    steps, clock = model.num_steps, Clock()
    results = list(made(items))
    told = clock.read()
    steps = model.num_steps - steps
    made.close()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    if errors := [result.error for result in results if result.error is not None]:
        raise errors[0]
    return {
        **_counted(engine.replies),
        **told,
        "steps": steps,
        "idle_share": max(0.0, 1 - engine.busy_s / told["seconds"]),
        "decoders_cpu_s": children.ru_utime + children.ru_stime,
    }


def http(folder: Path, setting: Setting, url: str) -> dict[str, Any]:
    """The engine `http` on all clips, which it is given ready."""
    requests = Stored(folder).requests(setting)
    # As many wait at the server as vLLM has waiting in the worker itself.
    given = {"kind": "http", "model": "bench", "url": url, "parts": "video", "timeout_s": 600.0}
    given["concurrency"] = 2 * setting.max_num_seqs
    engine = make_engine(CaptionConfig.model_validate({"engine": given}).engine)
    engine.setup()
    list(engine.generate(ListFeed(requests[:_NUM_WARM])))
    clock = Clock()
    replies = list(engine.generate(ListFeed(list(requests))))
    told = clock.read()
    engine.close()
    if errors := [reply.error for reply in replies if reply.error]:
        raise RuntimeError(errors[0])
    return {**_counted(replies), **told}


class Clock:
    """Seconds, and seconds of CPU that this process takes, from now on."""

    def __init__(self) -> None:
        self._began = (time.monotonic(), time.process_time())

    def read(self) -> dict[str, float]:
        """Both."""
        return {"seconds": time.monotonic() - self._began[0], "own_cpu_s": time.process_time() - self._began[1]}


def _counted(replies: Sequence[CaptionReply]) -> dict[str, Any]:
    return {
        "tokens": sum(reply.num_output_tokens or 0 for reply in replies),
        "prompt_tokens": sum(reply.num_prompt_tokens or 0 for reply in replies),
    }


def _open_reader(stored: Stored | None, setting: Setting) -> WindowReader:
    return open_decoder(setting) if stored is None else stored


def _config(folder: Path, setting: Setting) -> CaptionConfig:
    engine = {"model": str(folder / "model"), "dtype": setting.dtype, "max_model_len": setting.max_model_len}
    # An answer without a schema is no caption, and is not asked for again.
    return CaptionConfig.model_validate(
        {"engine": {**engine, "max_num_seqs": setting.max_num_seqs}, "max_tries": 1, "prompt": "short"}
    )


def _main(part: str, folder: Path, url: str) -> None:
    setting = Setting.from_json((folder / "setting.json").read_text())
    if part == "bare":
        said = bare(folder, setting)
    elif part == "http":
        said = http(folder, setting, url)
    else:
        said = stage(folder, setting, is_decoding=part == "decoding")
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
