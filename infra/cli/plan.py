"""`rushes plan`: what a run would do, and why. Changes nothing."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from infra.cli.run import add_config_arguments, load
from infra.config import RunConfig
from infra.steps import run_steps_of
from pipeline import dag
from pipeline.dataset import Dataset
from pipeline.plan import StagePlan, plan_step


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("plan", help="say what a run would do, and why; change nothing")
    add_config_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print the plan; give the exit status."""
    config = load(args)
    plans = plan_curation(config, until=args.until)
    if args.json:
        print(json.dumps([_to_json(plan) for plan in plans]))
    else:
        print("\n".join([*_table(plans, config), *_changed_values(config)]))
    return 0


def plan_curation(config: RunConfig, *, until: str | None = None) -> list[StagePlan]:
    """What each stage of a config would do with the dataset as it is.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    assert config.dataset is not None
    dataset = Dataset(config.dataset)
    if dataset.exists():
        dataset.describe()
    steps = dag.until(dag.order(run_steps_of(config)), until)
    return [plan_step(step, steps, dataset.manifest) for step in steps]


def _changed_values(config: RunConfig) -> list[str]:
    """Which values differ from those of the last run: why work is stale, in the user's own words."""
    assert config.dataset is not None
    dataset = Dataset(config.dataset)
    if not dataset.exists():
        return []
    before, now = _flat(dataset.describe()["config"]), _flat(config.model_dump(mode="json"))
    # What is asked of one run says nothing of how the rows came about.
    keys = [key for key in now if not key.startswith(("input", "dataset", "executor"))]
    return [
        f"since the last run: {key} {before[key]} -> {now[key]}"
        for key in keys
        if before.get(key, now[key]) != now[key]
    ]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted path."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _to_json(plan: StagePlan) -> dict[str, Any]:
    if plan.missing:
        return {"stage": plan.stage, "not_configured": plan.missing}
    return {
        "stage": plan.stage,
        "done": plan.num_done,
        "stale": dict(plan.stale),
        "todo": plan.num_todo,
        "cost_s": round(plan.cost_s, 1),
    }


def _table(plans: list[StagePlan], config: RunConfig) -> list[str]:
    cores = config.executor.cpus or len(os.sched_getaffinity(0))
    lines = [f"{'stage':10} {'done':>8} {'stale':>8} {'to do':>8}  about"]
    earlier = 0
    for plan in plans:
        if plan.missing:
            lines.append(f"{plan.stage:10} not configured: {plan.missing}")
            continue
        num_stale = sum(plan.stale.values())
        lines.append(
            f"{plan.stage:10} {plan.num_done:>8} {num_stale:>8} {plan.num_todo:>8}  "
            f"{_duration(plan.cost_s / cores)} on {cores} cores"
        )
        lines += [f"{'':10} {count:>17} {why}" for why, count in plan.stale.items()]
        if earlier:
            lines.append(f"{'':10} and what comes of the {earlier} inputs of the stage before")
        earlier = num_stale + plan.num_todo
    return lines


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
