"""What the caption stage costs, over the model's own bare loop on the same clips."""

from __future__ import annotations

import json
import os
import socket
import statistics
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from infra.bench.caption_clips import Setting, make_films, prepare_model, store_frames
from infra.bench.footage import once
from infra.bench.processes import Marked, wait_for
from infra.bench.table import Figure

_PART_S = 1200.0
"""No part takes so long."""


def measure(cache: Path, setting: Setting | None = None, *, repeat: int = 2) -> list[Figure]:
    """All figures of captioning, each part in a process of its own, one after the other.

    A model of random weights writes a fixed number of tokens for each clip, greedily and without a schema. The bare
    loop is `vllm.LLM.generate` on windows of frames that are in memory; it is measured before and after the stage.

    Args:
        cache: Where the model, films and frames are kept.
        setting: How large all of it is.
        repeat: How often the bare loop and the stage with ready frames take turns.
    """
    asked = setting or Setting()
    folder = cache / f"caption-{asked.name}"
    model = once(folder / "model", partial(prepare_model, asked))
    films = make_films(folder / "films", asked)
    once(folder / "frames.npz", partial(store_frames, asked, films))
    (folder / "setting.json").write_text(asked.to_json())
    runs: dict[str, list[dict[str, Any]]] = {}
    for part in ["bare", "ready"] * repeat + ["decoding", "bare"]:
        runs.setdefault(part, []).append(_run(part, folder, cache))
    with _server(model, asked, folder, cache) as url:
        runs["http"] = [_run("http", folder, cache, url)]
    return _figures(runs, asked, json.loads((folder / "model" / "size.json").read_text()))


def _figures(runs: dict[str, list[dict[str, Any]]], setting: Setting, parameters: int) -> list[Figure]:
    rates = {part: statistics.median(run["tokens"] / run["seconds"] for run in done) for part, done in runs.items()}
    spread = {part: _spread(done) for part, done in runs.items()}
    (decoding,), (http,) = runs["decoding"], runs["http"]
    of_decoders = decoding["decoders_cpu_s"] / (decoding["own_cpu_s"] + decoding["decoders_cpu_s"])
    ready = runs["ready"][0]
    size = f"{parameters / 1e6:.0f} M parameters, {setting.num_clips} clips, {setting.max_tokens} tokens each"
    room = f"{setting.max_num_seqs} at once"
    load = f"load {max(run['load'] for done in runs.values() for run in done):.1f}"
    return [
        Figure(
            name="captioning, bare vllm.LLM.generate",
            value=rates["bare"],
            unit="tokens/s",
            note=f"{size}, {room}; {spread['bare']}; {runs['bare'][0]['prompt_tokens']} tokens of prompts; {load}",
        ),
        _over("stage with ready frames / bare", rates["ready"] / rates["bare"], 0.95, spread["ready"]),
        Figure(
            name="engine idle, ready frames",
            value=max(run["idle_share"] for run in runs["ready"]),
            note=f"share of the time with nothing to work on; {_filled(ready, setting)}",
        ),
        _over(
            "stage with decoding beside it / bare",
            rates["decoding"] / rates["bare"],
            0.85,
            f"{spread['decoding']}; decoders take {of_decoders:.1%} of the CPU time, of {_cores()} cores",
        ),
        Figure(
            name="engine idle, decoding beside it",
            value=decoding["idle_share"],
            note=f"share of the time with nothing to work on; {_filled(decoding, setting)}",
        ),
        _over(
            "http engine to vLLM's server / bare",
            rates["http"] / rates["bare"],
            0.80,
            f"{spread['http']}; {http['prompt_tokens']} tokens of prompts; server and client share the cores",
        ),
    ]


def _spread(done: Sequence[dict[str, Any]]) -> str:
    """All repetitions in words; CPU time tells also where something else has run beside them."""
    rates = "/".join(f"{run['tokens'] / run['seconds']:.0f}" for run in done)
    cpu = "/".join(f"{run['own_cpu_s']:.0f}" for run in done)
    return f"{rates} tokens/s, {cpu} s of CPU"


def _over(name: str, ratio: float, at_least: float, note: str) -> Figure:
    return Figure(name=name, value=ratio, at_least=at_least, note=note)


def _filled(run: dict[str, Any], setting: Setting) -> str:
    return f"{run['tokens'] / run['steps']:.1f} of {setting.max_num_seqs} places filled in the mean step"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _run(part: str, folder: Path, cache: Path, url: str = "") -> dict[str, Any]:
    """Do one part in a process of its own; what it measured."""
    print(f"  {part} …", end=" ", file=sys.stderr, flush=True)
    load = os.getloadavg()[0]
    command = [sys.executable, "-m", "infra.bench.caption_parts", part, str(folder), url]
    with Marked(command, cache / "cwd") as run:
        run.finish(_PART_S)
        last = [line for line in run.output.splitlines() if line.startswith("{")][-1]
        said: dict[str, Any] = {**json.loads(last), "load": load}
    print(f"{said['tokens'] / said['seconds']:.0f} tokens/s in {said['seconds']:.1f} s", file=sys.stderr, flush=True)
    return said


@contextmanager
def _server(model: Path, setting: Setting, folder: Path, cache: Path) -> Iterator[str]:
    """The model behind vLLM's own server; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--dtype", setting.dtype, "--enforce-eager"]
    options += ["--max-model-len", str(setting.max_model_len), "--max-num-seqs", str(setting.max_num_seqs)]
    options += ["--served-model-name", "bench", "--limit-mm-per-prompt", '{"video": 1, "image": 1}']
    command = [sys.executable, "-m", "captioner.vllm_server", "--model", str(model), *options]
    with Marked(command, cache / "cwd", {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}) as run:
        if not wait_for(lambda: _answers(port) or run.process.poll() is not None, timeout_s=300, every_s=0.5):
            raise TimeoutError(run.output[-3000:])
        if run.process.poll() is not None:
            raise RuntimeError(run.output[-3000:])
        yield f"http://127.0.0.1:{port}/v1"


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
