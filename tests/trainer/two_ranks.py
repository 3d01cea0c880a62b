"""What two ranks do, for `test_two_ranks`: the golden run under every stage, and trainings stopped on the way.

`torchrun --nproc-per-node 2 tests/trainer/two_ranks.py DATASET FOLDER CONFIG.json`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import golden

from trainer.config import TrainConfig
from trainer.distributed import ranks
from trainer.loop import train
from trainer.metrics import StepRecord


def main() -> None:
    dataset, folder, path = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    config = TrainConfig.model_validate_json(path.read_text())
    with ranks() as joined:
        found = {stage: golden.losses(stage, joined) for stage in (1, 2, 3)}
        if joined.is_first:
            (folder / "golden.json").write_text(json.dumps(found))
        gathered = joined.gather({"rank": joined.rank, "texts": ["\u00e9" * 3**joined.rank, None]})
        (folder / f"gathered-{joined.rank}.json").write_text(json.dumps(gathered))
        for name, stage, steps in (("zero1", 1, 10), ("zero3", 3, 5), ("half", 2, 5)):
            engine = config.engine.model_copy(update={"zero_stage": stage})
            here = config.model_copy(update={"engine": engine, "steps": steps})
            train(here, dataset, folder / name, resume=False, report=ignore)
        train(config, dataset, folder / "grown", resume=True, report=ignore)
        engine = config.engine.model_copy(update={"sequence_ranks": 2})
        shared = config.model_copy(update={"engine": engine, "steps": 5})
        train(shared, dataset, folder / "shared", resume=False, report=ignore)


def ignore(record: StepRecord) -> None:
    """Steps are read from the run's own log."""


if __name__ == "__main__":
    main()
