from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.dataset import Dataset
from schemas import ConfigError

HOLD = """
import sys
from pipeline.dataset import Dataset
dataset = Dataset(sys.argv[1])
dataset.create()
with dataset.lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_one_process_writes_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    root = str(tmp_path / "ds")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        dataset = Dataset(root)
        with (
            pytest.raises(ConfigError, match=f"another run is writing to this dataset .process {other.pid} on"),
            dataset.lock(),
        ):
            raise AssertionError("never entered")
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with dataset.lock():
        pass


def test_a_brief_writer_is_waited_for_and_any_other_turns_away_at_once(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path))
    dataset.create()
    entered, free = threading.Event(), threading.Event()

    def commit() -> None:
        with dataset.lock(brief=True):
            entered.set()
            assert free.wait(20)

    other = threading.Thread(target=commit)
    other.start()
    assert entered.wait(20)
    threading.Timer(0.3, free.set).start()
    with dataset.lock():
        assert free.is_set()
        with pytest.raises(ConfigError, match="another run is writing"), dataset.lock(brief=True):
            raise AssertionError("never entered")
    other.join()


def test_no_writers_name_outlives_it(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path))
    for brief in (True, False):
        with dataset.lock(brief=brief):
            assert str(os.getpid()) in (tmp_path / ".lock").read_text()
        assert (tmp_path / ".lock").read_text() == ""


def test_a_dataset_remembers_what_it_was_made_with(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path / "ds"))
    dataset.create()
    dataset.write_description({"scan": {"x": 1}}, {"net": "abc"})
    assert dataset.describe() == {"format_version": 1, "config": {"scan": {"x": 1}}, "models": {"net": "abc"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("format_version: 99", "format_version is 99, we read 1", id="a later format"),
        pytest.param("[", "cannot be read", id="not YAML"),
    ],
)
def test_a_dataset_of_another_format_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        Dataset(str(tmp_path)).create()


def test_a_folder_without_a_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no dataset"):
        Dataset(str(tmp_path)).describe()
