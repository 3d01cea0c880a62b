from __future__ import annotations

import sys
from pathlib import Path

from infra.bench.processes import Marked, wait_for

ORPHAN = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
"""


def test_what_a_process_leaves_behind_is_found_and_killed(tmp_path: Path) -> None:
    with Marked([sys.executable, "-c", ORPHAN], tmp_path / "cwd") as run:
        assert run.wait(30) == 0
        orphan = int(run.output)
        assert run.pids() == [orphan]
        assert run.kill_all() == 1
    assert wait_for(lambda: not Path(f"/proc/{orphan}/exe").exists(), timeout_s=10)


def test_two_runs_are_told_apart(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    with Marked(sleeper, tmp_path / "a") as one, Marked(sleeper, tmp_path / "b") as other:
        assert one.pids() == [one.process.pid]
        assert other.pids() == [other.process.pid]
