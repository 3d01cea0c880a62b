"""`python -m infra.bench`: measure every figure that is promised, and print them in one table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from infra.bench import dedup, interrupt, many, memory, select, semantic, speed
from infra.bench.footage import drawn_videos
from infra.bench.table import Figure, render

_ROOT = Path(__file__).resolve().parent.parent.parent
_PARTS = (
    "speed",
    "memory",
    "many",
    "accuracy",
    "judge",
    "judge-world",
    "scorers",
    "dedup",
    "semantic",
    "select",
    "caption",
    "packing",
    "train",
    "sampling",
    "interrupt",
    "watermark",
)


def main() -> int:
    """Measure; 0 if every promise is kept, else 1."""
    args = _parser().parse_args()
    out: Path = args.out.resolve()
    cache = out / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    footage: Path = args.footage.resolve()
    if not footage.is_dir():
        print(f"infra.bench: {footage}: there is no such folder; give --footage DIR", file=sys.stderr)
        return 2
    parts: dict[str, Callable[[], list[Figure]]] = {
        "speed": lambda: speed.measure(footage, cache, repeat=args.repeat),
        "memory": lambda: memory.measure(footage, cache),
        "many": lambda: many.measure(cache, args.many),
        "accuracy": lambda: _accuracy(footage, cache),
        "judge": lambda: _judge(footage, cache),
        "judge-world": _judge_world,
        "scorers": lambda: _scorers(footage, cache, args.repeat),
        "dedup": lambda: dedup.measure(cache, args.clips // 10),
        "semantic": lambda: semantic.measure(cache, count=args.clips // 10),
        "select": lambda: select.measure(cache, args.clips),
        "packing": _packing,
        "train": lambda: _train(cache),
        "sampling": lambda: _sampling(cache),
        "caption": lambda: _caption(cache),
        "interrupt": lambda: _interrupt(cache),
        "watermark": lambda: _watermark(footage, cache),
    }
    figures: list[Figure] = []
    for name in args.only or _PARTS:
        print(f"--- {name}", file=sys.stderr, flush=True)
        started = time.monotonic()
        figures += parts[name]()
        elapsed_s = time.monotonic() - started
        figures.append(Figure(name=f"measuring {name} took", value=elapsed_s / 60, unit="minutes"))
        # Written after each part, so that one which fails does not take the others with it.
        _write(out / "bench.json", figures)
    print(render(figures))
    return 0 if all(figure.reached is not False for figure in figures) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=_PARTS, help="these parts, not all")
    parser.add_argument(
        "--footage",
        type=Path,
        default=_ROOT.parent / "shared" / "footage",
        help="a folder of real videos with truth",
    )
    parser.add_argument("--repeat", type=int, default=3, help="how often each speed is measured (the median counts)")
    parser.add_argument("--many", type=int, default=10_000, help="how many small videos")
    parser.add_argument(
        "--clips", type=int, default=10_000_000, help="how many clips to select; a tenth for duplicates"
    )
    parser.add_argument("--out", type=Path, default=_ROOT / "out", help="films, datasets and bench.json go there")
    return parser


def _accuracy(footage: Path, cache: Path) -> list[Figure]:
    # Torch comes with it, which no other part needs.
    from infra.bench import accuracy, world

    return [*accuracy.measure(footage, cache), *world.measure(cache)]


def _judge(footage: Path, cache: Path) -> list[Figure]:
    from infra.bench import judge

    return judge.measure(footage, cache)


def _judge_world() -> list[Figure]:
    from infra.bench import judge_world

    return judge_world.measure()


def _scorers(footage: Path, cache: Path, repeat: int) -> list[Figure]:
    from infra.bench import scorers

    return scorers.measure(footage, cache, repeat=repeat)


def _caption(cache: Path) -> list[Figure]:
    from infra.bench import caption, long_video

    return [*caption.measure(cache), *long_video.measure(cache)]


def _packing() -> list[Figure]:
    from infra.bench import packing

    return packing.measure()


def _train(cache: Path) -> list[Figure]:
    from infra.bench.train import measure

    return measure(cache)


def _sampling(cache: Path) -> list[Figure]:
    from infra.bench.sampling import measure

    return measure(cache)


def _watermark(footage: Path, cache: Path) -> list[Figure]:
    from infra.bench import watermark

    return watermark.measure(footage, cache)


def _interrupt(cache: Path) -> list[Figure]:
    films = drawn_videos(cache / "interrupt-films", 60, num_frames=240, width=640, height=360)
    seed = random.SystemRandom().randrange(10**6)
    return interrupt.measure([str(films)], cache / "interrupt", seed)


def _write(path: Path, figures: list[Figure]) -> None:
    record = {
        "machine": {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
        "command": sys.argv,
        "figures": [figure.to_json() for figure in figures],
    }
    path.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    sys.exit(main())
