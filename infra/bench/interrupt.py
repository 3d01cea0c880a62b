"""Kill a run at some moment, give the same command again, and compare with a run that nobody disturbed."""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from infra.bench.compare import differences
from infra.bench.processes import Marked, kill, rushes, wait_for
from infra.bench.table import Figure

_RUN_S = 600.0
"""No run of a few small films takes so long, in seconds."""
_LOOK_EVERY_S = 0.25
"""Between two looks at what there is to kill."""


class Victim(StrEnum):
    """What is killed."""

    decoder = "decoder child"
    worker = "worker"
    driver = "driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where runs take place and with which arguments, so that two of them can be compared."""

    scratch: Path
    """A folder for datasets and for the working folders of runs."""
    inputs: Sequence[str]
    """Given to `--input`."""
    arguments: Sequence[str] = ("--executor", "local")
    """Also given to `rushes run`."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment."""
    remote: str | None = None
    """A URL below which datasets lie; below `scratch` without it."""

    def dataset(self, name: str) -> str:
        """The place of a dataset."""
        return f"{self.remote}/{name}" if self.remote else str(self.scratch / name)

    def start(self, name: str) -> Marked:
        """Start `rushes run` on a dataset."""
        where = ("--dataset", self.dataset(name))
        command = rushes("run", "--input", *self.inputs, *where, *self.arguments)
        return Marked(command, self.scratch / "cwd", self.env)

    def finish(self, name: str) -> float:
        """Run to the end; give its seconds.

        Raises:
            RuntimeError: It failed.
        """
        with self.start(name) as run:
            run.finish(_RUN_S)
            return run.elapsed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one kill."""

    victim: Victim
    asked_s: float
    """When it was to be killed, in seconds after the first of its kind had appeared."""
    killed_s: float | None
    """When it was; None where the run had ended before."""
    status: int
    """Of the run that met the kill; negative for a signal."""
    again_s: float
    """How long the same command took afterwards, in seconds."""
    gone_s: float | None
    """After how many seconds nothing was left of the killed run; None where something had to be killed."""
    differences: Sequence[str]
    """From the undisturbed dataset; none is what we want."""

    def __str__(self) -> str:
        """One line."""
        when = "after its end" if self.killed_s is None else f"at {self.killed_s:.2f} s"
        left = "left processes behind" if self.gone_s is None else f"nothing left after {self.gone_s:.1f} s"
        verdict = "equal tables" if not self.differences else "; ".join(self.differences)
        return (
            f"{self.victim} killed {when}: status {self.status}, {left}, "
            f"the same command again {self.again_s:.1f} s: {verdict}"
        )


def kill_and_resume(
    setting: Setting,
    undisturbed: str,
    name: str,
    victim: Victim,
    after_s: float = 0.0,
    ready: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Start a run, kill, run again to the end, and compare.

    The wait is over when there has been something to kill for `after_s`, `ready` says so, and there is something now.

    Args:
        setting: Where and how.
        undisturbed: The name of a dataset made without disturbance.
        name: The name of the dataset to make.
        victim: What to kill.
        after_s: Not before so many seconds after the first of its kind has appeared.
        ready: Not before this is true.
    """
    with setting.start(name) as run:
        wait_for(lambda: bool(_there(run, victim)) or run.process.poll() is not None, _RUN_S, every_s=0.02)
        time.sleep(after_s)
        wait_for(lambda: ready() or run.process.poll() is not None, _RUN_S, every_s=0.005)
        killed_s = _kill_one(run, victim)
        status = run.wait(_RUN_S)
        # The next run does not wait until the rest of this one has gone, and must not mind it.
        with ThreadPoolExecutor(1) as aside:
            gone = aside.submit(_until_gone, run)
            again_s = setting.finish(name)
            gone_s = gone.result()
    found = differences(setting.dataset(undisturbed), setting.dataset(name))
    return Outcome(
        victim=victim,
        asked_s=after_s,
        killed_s=killed_s,
        status=status,
        again_s=again_s,
        gone_s=gone_s,
        differences=found,
    )


def _until_gone(run: Marked, timeout_s: float = 120.0) -> float | None:
    """After how many seconds nothing is left of a run; None where something stays.

    Two of Ray's agents wait a minute for a cluster whose driver and raylet are gone.
    """
    started = time.monotonic()
    gone = wait_for(lambda: not run.pids(), timeout_s, every_s=0.2)
    return time.monotonic() - started if gone else None


def _kill_one(run: Marked, victim: Victim) -> float | None:
    """Kill, as soon as there is one; tell when."""
    while run.process.poll() is None:
        if any(kill(pid) for pid in _there(run, victim)[:1]):
            return run.elapsed_s
        time.sleep(0.005)
    return None


def _there(run: Marked, victim: Victim) -> list[int]:
    """What of its kind could be killed now."""
    match victim:
        case Victim.driver:
            return [run.process.pid]
        case Victim.worker:
            return list(run.workers())
        case Victim.decoder:
            return run.decoders()


def moments(rng: random.Random, count: int, longest_s: float) -> list[float]:
    """So many moments of a span, spread over all of it and each random within its share."""
    return [longest_s * (k + rng.random()) / count for k in range(count)]


def _lives(setting: Setting, name: str, victims: Collection[Victim]) -> dict[Victim, float]:
    """Run to the end; tell how long there was something of each kind to kill, from the first to the last, in seconds.

    Raises:
        RuntimeError: It failed.
    """
    begins: dict[Victim, float] = {}
    lives: dict[Victim, float] = {}
    with setting.start(name) as run:
        while run.process.poll() is None:
            now_s = run.elapsed_s
            for victim in victims:
                if _there(run, victim):
                    lives[victim] = now_s - begins.setdefault(victim, now_s)
            time.sleep(_LOOK_EVERY_S)
        run.finish(_RUN_S)
    return lives


def disturb(
    setting: Setting, victims: Sequence[Victim], seed: int, tell: Callable[[str], None] = print
) -> list[Outcome]:
    """Kill at random moments of each victim's life, one after the other, and tell of each in one line.

    Args:
        setting: Where and how.
        victims: What to kill, in turn.
        seed: Of the moments.
        tell: Gets the lines.
    """
    lives = _lives(setting, "undisturbed", set(victims))
    told = ", ".join(f"a {victim} for {life_s:.1f} s" for victim, life_s in sorted(lives.items()))
    tell(f"an undisturbed run has {told}; seed {seed}")
    rng = random.Random(seed)
    counts = Counter(victims)
    order = [(victim, at_s) for victim, count in counts.items() for at_s in moments(rng, count, lives[victim])]
    rng.shuffle(order)
    outcomes = []
    for number, (victim, after_s) in enumerate(order):
        outcomes.append(kill_and_resume(setting, "undisturbed", f"kill-{number:02}", victim, after_s))
        tell(f"{number + 1:2}/{len(order)} {outcomes[-1]}")
    return outcomes


def measure(inputs: Sequence[str], scratch: Path, seed: int) -> list[Figure]:
    """How many of a few kills end in equal tables."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    setting = Setting(scratch=scratch, inputs=inputs)
    outcomes = disturb(
        setting, [Victim.driver, Victim.decoder] * 2, seed, tell=lambda line: print(line, file=sys.stderr)
    )
    equal = sum(not outcome.differences for outcome in outcomes)
    return [
        Figure(
            name="kill -9 at random moments, then the same command: equal tables",
            value=equal,
            unit=f"of {len(outcomes)}",
            at_least=len(outcomes),
            note=f"seed {seed}; `make stress` does more of them, on Ray and on a cluster too",
        )
    ]
