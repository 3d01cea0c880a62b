"""The scan stage alone, over files that were probed before."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config import PipelineConfig
from pipeline.curation import curation_steps
from pipeline.dag import InputStep
from pipeline.dataset import Dataset
from pipeline.executor import LocalExecutor
from pipeline.runner import run_steps
from pipeline.worklist import Worklist
from schemas import load_config


class Scan:
    """Some files, probed into a dataset of their own, ready to be scanned any number of times.

    Args:
        paths: The files; copies of one content count once.
        dataset: The dataset's folder.
    """

    def __init__(self, paths: Sequence[Path], dataset: Path) -> None:
        self.errors: dict[str, str] = {}
        """The kind of error by file name, of the last run."""
        overrides = [f"dataset={dataset}", *(f"input=[{', '.join(repr(str(path)) for path in paths)}]",)]
        config = load_config(PipelineConfig, None, overrides)
        place = Dataset(str(dataset))
        place.create()
        ingest, scan, *_ = curation_steps(config)
        assert isinstance(scan, InputStep)
        with place.lock():
            run_steps([ingest], place, LocalExecutor(), "bench")
        wanted = {os.path.realpath(path) for path in paths}
        self.stage = scan.stage
        self.items: list[Any] = [item for item in scan.inputs(place.manifest) if os.path.realpath(item.uri) in wanted]

    def run(self, cores: int) -> tuple[int, float]:
        """Scan all files; give the number of frames and the seconds."""
        names = {item.input_id: Path(item.uri).name for item in self.items}
        self.errors = {}
        num_frames = 0
        started = time.monotonic()
        for result in LocalExecutor(cores).run(self.stage, Worklist.of(self.items)):
            num_frames += result.frames
            if result.error is not None:
                self.errors[names[result.input_id]] = result.error.kind
        return num_frames, time.monotonic() - started
