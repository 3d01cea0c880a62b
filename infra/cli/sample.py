"""`rushes sample`: videos and pictures from a trained model."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas import ConfigError, load_config

if TYPE_CHECKING:
    from infra.sample_config import SampleConfig
    from infra.sample_request import Asked, Given
    from trainer.sampling import Frames, ModelSource
    from trainer.sampling.window import Window

TERMINAL_S, LOG_S = 2.0, 60.0
"""Between two lines on the progress: on a terminal, and where nobody watches."""
MAX_VARIATIONS = 64


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "sample",
        help="make a video or a picture with a trained model",
        description="From a prompt alone; from a picture (--image); from a video (--video, with --extend, --connect, "
        "--loop, --inpaint or --strength). A given picture or video of another aspect is cut to the size; with fit=fit "
        "it is shown whole between black bars.",
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="such as infra/recipes/demo-sample.yaml")
    parser.add_argument("--prompt", metavar="TEXT", help="what is to be seen")
    parser.add_argument("--out", metavar="FILE", help=".mp4 or .png")
    parser.add_argument("--requests", type=Path, metavar="FILE.jsonl", help="several, of any sizes, made together")
    parser.add_argument("--size", metavar="WxH", help="any; the given clip's own, or the config's, without it")
    parser.add_argument("--seconds", type=float, metavar="S", help="of the video, or of what is added to one")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed gives the same bits")
    parser.add_argument("--steps", type=int, metavar="N", help="as solver.steps")
    parser.add_argument("--image", metavar="FILE", help="the first frame; for a .png what is edited")
    parser.add_argument("--video", metavar="FILE", help="what is extended, connected, closed, or edited")
    parser.add_argument("--extend", choices=("forward", "backward", "both"), help="what comes after, or came before")
    parser.add_argument("--connect", metavar="FILE", help="a second video, to which a passage leads")
    parser.add_argument("--loop", action="store_true", help="the end goes on with the beginning")
    parser.add_argument("--inpaint", metavar="X,Y,WxH[@A-B]", help="make this part anew, from second A to second B")
    parser.add_argument("--strength", type=float, metavar="S", help="of an edit, in (0, 1]: how little is kept")
    parser.add_argument("--variations", type=int, default=1, metavar="N", help="so many, as FILE-1, FILE-2, …")
    parser.add_argument("--variation", type=float, metavar="A", help="how far they are from the seed's own, in (0, 1]")
    parser.add_argument(
        "--draft", action="store_true", help="first small, as FILE.draft.mp4, then from that at full size"
    )
    parser.add_argument("--expand", action="store_true", help="have the prompt written out by the model of `expand`")
    parser.add_argument("--plan", action="store_true", help="tell tokens, FLOPs and memory; make nothing")
    parser.add_argument("--json", action="store_true", help="print JSON objects")
    parser.set_defaults(func=run)


@dataclass(frozen=True, slots=True)
class _Job:
    """An output to be made."""

    asked: Asked
    given: Given
    first_prompt: str | None
    """As the user wrote it, where it was written out."""


def run(args: argparse.Namespace) -> int:
    """Make what is asked for, or tell what it costs; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from infra.sample_config import SampleConfig
    from trainer.sampling import find_model

    overrides = list(getattr(args, "overrides", []))
    if args.steps is not None:
        overrides.append(f"solver.steps={args.steps}")
    config = load_config(SampleConfig, Path(args.config), overrides)
    asked = _asked(args)
    source = find_model(config)
    jobs = _jobs(asked, config, is_expanded=args.expand)
    for job in jobs:
        for note in job.given.notes:
            _say(note)
    if args.plan:
        return _tell_plan(jobs, config, source, draft=args.draft, as_json=args.json)
    _make(jobs, config, source, draft=args.draft, as_json=args.json)
    return 0


def _asked(args: argparse.Namespace) -> list[Asked]:
    """What is asked for, on the command line or in a file.

    Raises:
        ConfigError: It does not go together.
    """
    from infra.sample_request import make_asked, read_asked

    if args.requests is not None:
        if args.prompt is not None or args.out is not None:
            raise ConfigError("command line: --requests does not go with --prompt and --out: each line has its own")
        return read_asked(args.requests)
    for name in ("prompt", "out"):
        if getattr(args, name) is None:
            raise ConfigError(f"command line: --{name} is missing")
    names = ("prompt", "out", "size", "seconds", "image", "video", "extend", "connect", "loop", "inpaint", "strength")
    values = {name: getattr(args, name) for name in names}
    if not 1 <= args.variations <= MAX_VARIATIONS:
        raise ConfigError(f"command line: --variations lies in 1 to {MAX_VARIATIONS}, got {args.variations}")
    if args.variations == 1 and args.variation is None:
        return [make_asked({**values, "seed": args.seed}, "command line")]
    return [make_asked({**values, **_variation(args, k)}, "command line") for k in range(args.variations)]


def _variation(args: argparse.Namespace, number: int) -> dict[str, Any]:
    """Name and noise of one of several."""
    out = Path(args.out)
    name = out if args.variations == 1 else out.with_name(f"{out.stem}-{number + 1}{out.suffix}")
    if args.variation is None:
        return {"out": name, "seed": args.seed + number}
    return {"out": name, "seed": args.seed, "variation": args.variation, "variation_seed": args.seed + 1 + number}


def _jobs(asked: Sequence[Asked], config: SampleConfig, *, is_expanded: bool) -> list[_Job]:
    from infra.sample_request import given_of

    given = [given_of(one, config) for one in asked]
    if not is_expanded:
        return [_Job(one, what, None) for one, what in zip(asked, given, strict=True)]
    longer = _expanded([one.prompt for one in asked], config)
    return [
        _Job(one, _with_prompt(what, text), one.prompt) for one, what, text in zip(asked, given, longer, strict=True)
    ]


def _with_prompt(given: Given, prompt: str) -> Given:
    from dataclasses import replace

    return replace(given, request=replace(given.request, prompt=prompt))


def _expanded(prompts: Sequence[str], config: SampleConfig) -> list[str]:
    """Prompts, written out; each is shown.

    Raises:
        ConfigError: No model is named for it, or it cannot be had.
    """
    from captioner import make_engine
    from captioner.expand import expand_prompt
    from trainer.sampling import check_prompt

    if config.expand.model is None:
        raise ConfigError("expand.model: is missing: the language model that --expand asks")
    engine = make_engine(config.expand)
    engine.setup()
    try:
        found = [expand_prompt(prompt, engine) for prompt in prompts]
    finally:
        engine.close()
    for prompt, expansion in zip(prompts, found, strict=True):
        if expansion.is_expanded:
            _say(f"prompt: {expansion.text}")
        else:
            lost = f": the longer one lacked {', '.join(expansion.lost)}" if expansion.lost else ""
            _say(f"prompt: {prompt!r} stays as it is{lost}")
        check_prompt(expansion.text, config)
    return [expansion.text for expansion in found]


def _tell_plan(jobs: Sequence[_Job], config: SampleConfig, source: ModelSource, *, draft: bool, as_json: bool) -> int:
    from trainer.sampling.plan import available_memory, plan
    from trainer.sampling.sampler import device_of

    available = available_memory(config, device_of(config))
    found = plan([job.given.request for job in jobs], config, source, available, draft=draft)
    if as_json:
        print(json.dumps(found.to_json()))
        return 0
    for line in found.lines():
        print(line)
    if not found.is_possible:
        print("this device cannot hold it")
    return 0


def _make(jobs: Sequence[_Job], config: SampleConfig, source: ModelSource, *, draft: bool, as_json: bool) -> None:
    from trainer.sampling.plan import available_memory, plan
    from trainer.sampling.provenance import text_of
    from trainer.sampling.sampler import Sampler, device_of
    from trainer.sampling.writing import write

    requests = [job.given.request for job in jobs]
    plan(requests, config, source, available_memory(config, device_of(config)), draft=draft).refuse()
    sampler = Sampler(config, source, _Progress())
    drafts = _Drafts(jobs[0].asked.out, config) if draft else None
    for job, made in zip(jobs, sampler.sample(requests, drafts), strict=True):
        for note in made.notes:
            _say(f"{job.asked.out}: {note}")
        record = _record(job, made.frames, config, source, draft=draft)
        write(job.asked.out, made.frames, config.rate, config.crf, text_of(record))
        num_frames, height, width = made.frames.shape[:3]
        if as_json:
            print(json.dumps({"out": str(job.asked.out), "notes": [*job.given.notes, *made.notes], **record}))
        else:
            length = f", {num_frames} frames, {float(num_frames / config.rate):.2f} s" if num_frames > 1 else ""
            print(f"{job.asked.out}: {width}x{height}{length}, seed {job.asked.seed}")


def _record(job: _Job, frames: Frames, config: SampleConfig, source: ModelSource, *, draft: bool) -> dict[str, Any]:
    """What is written into an output."""
    from trainer.sampling.provenance import record_of

    request = job.given.request
    num_frames, height, width = frames.shape[:3]
    about: dict[str, Any] = {
        "model_digest": source.digest,
        "model_step": source.step,
        "autoencoder_digest": source.autoencoder.digest,
        "text_encoder_digest": source.text_encoder.digest if source.text_encoder else None,
        "prompt": request.prompt,
        "seed": request.seed,
        "mode": request.mode.value,
        "width": width,
        "height": height,
        "num_frames": num_frames,
        "frame_rate": list(config.rate.as_integer_ratio()),
        "solver": config.solver.model_dump(mode="json"),
        "guidance": config.guidance.model_dump(mode="json"),
        "config_digest": config.output_digest(),
    }
    if job.first_prompt is not None:
        about["prompt_as_written"] = job.first_prompt
    if job.given.files:
        about["given"] = list(job.given.files)
    if request.region is not None:
        about["region"] = list(request.region)
    if request.mode.value == "edit":
        about["strength"] = request.strength
    if request.variation:
        about |= {"variation": request.variation, "variation_seed": request.variation_seed}
    if draft:
        about["draft"] = config.draft.model_dump(mode="json")
    return record_of(about)


class _Drafts:
    """Writes small drafts beside the output as they come."""

    def __init__(self, out: Path, config: SampleConfig) -> None:
        self._out, self._config = out, config
        self._count = 0

    def __call__(self, window: Window, frames: Frames) -> None:
        from trainer.sampling.provenance import record_of, text_of
        from trainer.sampling.writing import write

        self._count += 1
        number = "" if self._count == 1 else f"-{self._count}"
        path = self._out.with_name(f"{self._out.stem}.draft{number}{self._out.suffix}")
        # An MP4 has even sides.
        height, width = (side - side % 2 for side in frames.shape[1:3])
        record = record_of({"prompt": window.prompt, "seed": window.seed, "is_draft": True})
        write(path, frames[:, :height, :width], self._config.rate, self._config.crf, text_of(record))
        _say(f"draft: {path}")


class _Progress:
    """Says every now and then how far the sampling is."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._every_s = TERMINAL_S if sys.stderr.isatty() else LOG_S

    def __call__(self, step: int, steps: int, num: int) -> None:
        now = time.monotonic()
        if now - self._said >= self._every_s:
            self._said = now
            _say(f"step {step} of {steps}, {num} at once")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
