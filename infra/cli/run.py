"""`rushes run`: footage in, a dataset folder out."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import Any

from infra.caption_check import check_captions, complaint
from infra.config import RunConfig
from infra.steps import run_steps_of
from pipeline import dag
from pipeline.dataset import Dataset
from pipeline.executor import Executor, LocalExecutor
from pipeline.runner import RunReport, StageReport, run_steps
from schemas import ConfigError, ErrorKind, load_config

RECIPES = Path(__file__).parent.parent / "recipes"


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("run", help="curate footage into a dataset folder; do what is missing or stale")
    add_config_arguments(parser)
    parser.add_argument("--retry-errors", action="store_true", help="do again what ended in an error")
    parser.add_argument("--json", action="store_true", help="print a JSON object at the end")
    parser.set_defaults(func=run)


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Register what `run` and `plan` share."""
    parser.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="the recipe `default` without it")
    parser.add_argument(
        "--input",
        nargs="+",
        metavar="PATH_OR_GLOB",
        help="folders, files, globs, @LIST.txt, s3://BUCKET/PREFIX",
    )
    parser.add_argument("--dataset", metavar="DIR", help="a folder, or s3://BUCKET/PREFIX")
    parser.add_argument("--until", metavar="STAGE", help="the last stage to do")
    parser.add_argument("--executor", choices=("ray", "local"), help="Ray, or threads of this process")
    parser.add_argument("--address", help="a running Ray cluster (auto, HOST:PORT, ray://HOST:10001)")


def load(args: argparse.Namespace) -> RunConfig:
    """The config that the command line asks for.

    Raises:
        ConfigError: Something in it is wrong or missing.
    """
    path = Path(args.config) if args.config else RECIPES / "default.yaml"
    flags: list[str] = []
    for key, value in (("dataset", args.dataset), ("executor.kind", args.executor)):
        flags += [] if value is None else [f"{key}={json.dumps(value)}"]
    flags += [] if args.input is None else [f"input={json.dumps(args.input)}"]
    flags += [] if args.address is None else [f"executor.address={json.dumps(args.address)}"]
    config = load_config(RunConfig, path, [*flags, *args.overrides])
    if not config.input:
        raise ConfigError("there is no input: give --input PATH, or `input:` in the config")
    if config.dataset is None:
        raise ConfigError("there is no dataset: give --dataset DIR, or `dataset:` in the config")
    return config


def run(args: argparse.Namespace) -> int:
    """Do it; give the exit status."""
    config = load(args)
    summary = curate(config, until=args.until, retry_errors=args.retry_errors)
    if args.json:
        print(json.dumps(summary))
    else:
        print(_describe(summary))
    return _status(summary, config.max_error_share)


def curate(config: RunConfig, *, until: str | None = None, retry_errors: bool = False) -> dict[str, Any]:
    """Run the stages of a config and record the run.

    Returns:
        The record, as in `runs/RUN_ID.json`.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    assert config.dataset is not None
    dataset = Dataset(config.dataset)
    steps = dag.until(dag.order(run_steps_of(config)), until)
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(3)}"
    dataset.create()
    with dataset.lock():
        plain = config.model_dump(mode="json")
        dataset.write_description(plain, {k: v for step in steps for k, v in step.models.items()})
        started = time.monotonic()
        executor = make_executor(config)
        try:
            report = run_steps(steps, dataset, executor, run_id, retry_errors=retry_errors)
        finally:
            executor.close()
        record = {
            "run_id": run_id,
            "command": ["rushes", *sys.argv[1:]],
            "config": plain,
            "versions": {"rushes": version("rushes"), "python": platform.python_version()},
            "elapsed_s": round(time.monotonic() - started, 3),
            "start_up_s": round(executor.start_up_s, 3),
            "stages": [stage.to_json() for stage in report.stages],
            "not_configured": dict(report.not_configured),
            "stopped": report.stopped,
            "complaints": _complaints(report, steps, dataset, config),
            "counts": {name: dataset.manifest.count(name) for name in dataset.manifest.tables()},
            "outcomes": _outcomes(dataset),
            "dataset": config.dataset,
        }
        dataset.write_run(run_id, record)
    return record


def _complaints(report: RunReport, steps: Sequence[dag.Step], dataset: Dataset, config: RunConfig) -> list[str]:
    """What is wrong with the run as a whole, a sentence each."""
    done = {stage.name for stage in report.stages if stage.items}
    caption = next((step for step in steps if step.name == "caption"), None)
    if "caption" not in done or not isinstance(caption, dag.InputStep):
        return []
    _, made = caption.own["captions"]
    said = complaint(check_captions(dataset.manifest, made, config.embedding))
    return [] if said is None else [said]


def make_executor(config: RunConfig) -> Executor:
    """The executor that the config names."""
    chosen = config.executor
    if chosen.kind == "local":
        return LocalExecutor(chosen.cpus)
    from pipeline.ray_executor import RayExecutor

    return RayExecutor(chosen.address, chosen.cpus, autoscaling=chosen.autoscaling)


def _outcomes(dataset: Dataset) -> dict[str, int]:
    import pyarrow.compute as pc

    counted = pc.value_counts(dataset.manifest.read("files", ["outcome"])["outcome"])
    return {entry["values"].as_py(): entry["counts"].as_py() for entry in counted}


def _describe(summary: dict[str, Any]) -> str:
    lines = []
    for stage in summary["stages"]:
        errors = sum(stage["errors"].values())
        kinds = ", ".join(f"{count} {kind}" for kind, count in stage["errors"].items())
        frames = f", {stage['frames']} frames" if stage["frames"] else ""
        failed = f", {errors} errors ({kinds})" if errors else ""
        lines.append(f"{stage['name']:8} {stage['items']} done{frames}{failed}")
    if names := summary["not_configured"]:
        lines.append(f"not configured: {', '.join(names)}; `rushes plan` says what each needs")
    if summary["stopped"]:
        lines.append(f"the run ended early: {summary['stopped']}")
    files = ", ".join(f"{count} {outcome}" for outcome, count in sorted(summary["outcomes"].items()))
    counts = summary["counts"]
    lines.append(
        f"{'dataset':8} {summary['dataset']}: files {files or 'none'}; {counts.get('videos', 0)} videos, "
        f"{counts.get('shots', 0)} shots, {counts.get('clips', 0)} clips, in {summary['elapsed_s']:.1f} s"
    )
    return "\n".join(lines)


def _status(summary: dict[str, Any], max_error_share: float) -> int:
    for said in summary["complaints"]:
        print(f"rushes: {said}", file=sys.stderr)
    if summary["complaints"]:
        return 1
    stages: Sequence[dict[str, Any]] = summary["stages"]
    for stage in stages:
        if bugs := stage["errors"].get(ErrorKind.bug.value):
            print(
                f"rushes: {stage['name']}: {bugs} items met a bug of ours; to see it: rushes inspect "
                f"{summary['dataset']} --sql \"SELECT * FROM ledger WHERE error_kind = 'bug'\"",
                file=sys.stderr,
            )
            return 1
        share = sum(stage["errors"].values()) / max(stage["items"], 1)
        if share > max_error_share:
            print(
                f"rushes: {stage['name']}: {share:.0%} of its items failed, more than the allowed "
                f"{max_error_share:.0%} (max_error_share)",
                file=sys.stderr,
            )
            return 1
    return 0


__all__ = ["StageReport", "add_parser", "curate", "load", "make_executor", "run"]
