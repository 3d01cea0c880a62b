"""`rushes sample`: videos and pictures from a trained model."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.address import add_address
from infra.cli.config import config_of
from infra.cli.progress import Pace, say
from schemas import ConfigError

if TYPE_CHECKING:
    from infra.policy import Refusal
    from infra.sample_config import SampleConfig
    from infra.sample_output import Job
    from infra.sample_request import Asked
    from trainer.sampling import ModelSource

MAX_VARIATIONS = 64
SOME_REFUSED = 1
"""Exit status where the policy kept some of several requests, or of the outputs, from being made."""
RESULTS = "out/studio"
"""Where those of `--serve` are kept without `--out`."""


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
    parser.add_argument(
        "--shots", type=Path, metavar="FILE.yaml", help="a list of {prompt, seconds, cut}; --prompt stands before each"
    )
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
    parser.add_argument(
        "--serve", action="store_true", help="show a page on which people ask; --out is then the folder of the results"
    )
    add_address(parser, 8766)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Make what is asked for, or tell what it costs; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from infra.sample_config import SampleConfig
    from trainer.sampling import find_model

    config = config_of(args, SampleConfig, steps="solver.steps")
    if args.serve:
        return _serve(config, args)
    asked, num_refused = _allowed(_asked(args), config, args)
    source = find_model(config)
    jobs = _jobs(asked, config, is_expanded=args.expand)
    for job in jobs:
        for note in job.given.notes:
            say(note)
    if args.plan:
        return _tell_plan(jobs, config, source, draft=args.draft, as_json=args.json)
    num_refused += _make(jobs, config, source, draft=args.draft, as_json=args.json)
    return SOME_REFUSED if num_refused else 0


def _allowed(asked: list[Asked], config: SampleConfig, args: argparse.Namespace) -> tuple[list[Asked], int]:
    """What the policy lets pass, and how many requests of a file it does not: each of those gets a row.

    Raises:
        ConfigError: It lets none pass.
    """
    from infra.policy.gate import gate_of
    from trainer.sampling import check_prompt

    for one in asked:
        for prompt in one.prompts:
            check_prompt(prompt, config)
    gate = gate_of(config.policy)
    if gate is None:
        return asked, 0
    gate.setup()
    refusals = iter(gate.prompts([prompt for one in asked for prompt in one.prompts]))
    left = []
    for one in asked:
        refusal = next(filter(None, list(itertools.islice(refusals, len(one.prompts)))), None)
        if refusal is None:
            left.append(one)
        elif args.requests is None:
            raise ConfigError(f"the prompt is {refusal}")
        else:
            _tell_refused(one.out, refusal, as_json=args.json)
    if not left:
        raise ConfigError(f"{args.requests}: every request is refused by the policy")
    return left, len(asked) - len(left)


def _tell_refused(out: Path, refusal: Refusal, *, as_json: bool) -> None:
    if as_json:
        about = {"category": refusal.category.value, "rule": refusal.rule, "words": list(refusal.words)}
        print(json.dumps({"out": str(out), "refused": str(refusal), **about}))
    else:
        print(f"{out}: {refusal}")


def _serve(config: SampleConfig, args: argparse.Namespace) -> int:
    from infra.studio import serve

    for name in ("prompt", "requests", "image", "video"):
        if getattr(args, name) is not None:
            raise ConfigError(f"command line: --serve does not go with --{name}: the page asks for it")

    def show(url: str) -> None:
        print(json.dumps({"url": url}) if args.json else f"{url}  (Ctrl-C ends it)", flush=True)

    serve(config, folder=Path(args.out or RESULTS), host=args.host, port=args.port, say=show)
    return 0


def _asked(args: argparse.Namespace) -> list[Asked]:
    """What is asked for, on the command line or in a file.

    Raises:
        ConfigError: It does not go together.
    """
    from infra.sample_request import make_asked, read_asked, read_shots

    if args.requests is not None:
        if args.prompt is not None or args.out is not None:
            raise ConfigError("command line: --requests does not go with --prompt and --out: each line has its own")
        return read_asked(args.requests)
    for name in ("prompt", "out"):
        if getattr(args, name) is None and not (name == "prompt" and args.shots is not None):
            raise ConfigError(f"command line: --{name} is missing")
    names = ("prompt", "out", "size", "seconds", "image", "video", "extend", "connect", "loop", "inpaint", "strength")
    values = {name: getattr(args, name) for name in names}
    if args.shots is not None:
        values |= {"prompt": args.prompt or "", "shots": read_shots(args.shots)}
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


def _jobs(asked: Sequence[Asked], config: SampleConfig, *, is_expanded: bool) -> list[Job]:
    from infra.expansion import job_of
    from infra.sample_output import Job
    from infra.sample_request import given_of

    given = [given_of(one, config) for one in asked]
    if not is_expanded:
        return [Job(one, what) for one, what in zip(asked, given, strict=True)]
    longer = iter(_expanded([prompt for one in asked for prompt in one.prompts], config))
    return [
        job_of(one, what, list(itertools.islice(longer, len(one.prompts))))
        for one, what in zip(asked, given, strict=True)
    ]


def _expanded(prompts: Sequence[str], config: SampleConfig) -> list[str]:
    """Prompts, written out; each is shown.

    Raises:
        ConfigError: No model is named for it, or it cannot be had.
    """
    from infra.expansion import Expander

    with closing(Expander(config)) as expand:
        found = [expand(prompt) for prompt in prompts]
    for prompt, written in zip(prompts, found, strict=True):
        say(f"prompt: {written.prompt if written.is_longer else f'{prompt!r} stays as it is: {written.why}'}")
    return [written.prompt for written in found]


def _tell_plan(jobs: Sequence[Job], config: SampleConfig, source: ModelSource, *, draft: bool, as_json: bool) -> int:
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


def _make(jobs: Sequence[Job], config: SampleConfig, source: ModelSource, *, draft: bool, as_json: bool) -> int:
    """Make and write; give how many outputs the policy keeps from being written."""
    from infra.policy.policy import Refusal
    from infra.sample_output import Drafts, Writer
    from trainer.sampling.plan import available_memory, plan
    from trainer.sampling.sampler import Sampler, device_of

    requests = [job.given.request for job in jobs]
    planned = plan(requests, config, source, available_memory(config, device_of(config)), draft=draft)
    planned.refuse()
    writer = Writer(config, source)
    sampler = Sampler(config, source, _Progress())
    drafts = Drafts(jobs[0].asked.out, writer, say) if draft else None
    num_refused = 0
    with ExitStack() as stack:
        outputs = [
            stack.enter_context(writer.open(job, num_frames, draft=draft))
            for job, num_frames in zip(jobs, planned.num_frames, strict=True)
        ]
        notes = sampler.stream(requests, [output.add for output in outputs], drafts)
        for job, output, said in zip(jobs, outputs, notes, strict=True):
            for note in said:
                say(f"{job.asked.out}: {note}")
            if isinstance(output.told, Refusal):
                num_refused += 1
                _tell_refused(job.asked.out, output.told, as_json=as_json)
            else:
                _tell_made(job, output.told, said, config, as_json=as_json)
    return num_refused


def _tell_made(job: Job, record: dict[str, Any], notes: Sequence[str], config: SampleConfig, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"out": str(job.asked.out), "notes": [*job.given.notes, *notes], **record}))
        return
    num_frames = record["num_frames"]
    length = f", {num_frames} frames, {float(num_frames / config.rate):.2f} s" if num_frames > 1 else ""
    print(f"{job.asked.out}: {record['width']}x{record['height']}{length}, seed {job.asked.seed}")


class _Progress:
    """Says every now and then how far the sampling is."""

    def __init__(self) -> None:
        self._pace = Pace()

    def __call__(self, step: int, steps: int, num: int) -> None:
        if self._pace.is_due():
            say(f"step {step} of {steps}, {num} at once")
