from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from pipeline.dataset import Dataset
from pipeline.previews import read_previews, write_previews
from schemas import ConfigError

ROWS = [{"uri": "a", "outcome": "ok"}, {"uri": "b", "outcome": "ok"}]


def test_tables_descriptions_runs_and_previews_live_on_an_object_store(s3: Any) -> None:
    dataset = Dataset(f"{s3.url}/made/ds")
    dataset.create()
    assert not dataset.exists()
    dataset.write_description({"a": 1}, {})
    assert dataset.describe()["config"] == {"a": 1}
    dataset.manifest.append("files", ROWS)
    dataset.manifest.replace("files", [{"uri": "b", "outcome": "error"}], ["b"])
    dataset.manifest.tidy()
    found = dataset.manifest.read("files").sort_by("uri")
    assert found["outcome"].to_pylist() == ["ok", "error"]
    dataset.write_run("r1", {"run_id": "r1"})
    assert (dataset.read_run("r1"), dataset.read_run("r2")) == ({"run_id": "r1"}, None)
    write_previews(dataset, "ab12", [("c.0.jpg", b"picture")])
    assert list(read_previews(dataset, "ab12")) == [("c.0.jpg", b"picture")]
    write_previews(dataset, "ab12", [])
    assert list(read_previews(dataset, "ab12")) == []


def test_only_one_writer_holds_the_lock_of_an_object_store(s3: Any) -> None:
    one, other = (Dataset(f"{s3.url}/locked/ds") for _ in range(2))
    with one.lock(), pytest.raises(ConfigError, match="another run is writing to this dataset"), other.lock():
        raise AssertionError("never entered")
    with other.lock():
        pass


def test_a_brief_writer_to_an_object_store_is_waited_for(s3: Any) -> None:
    dataset = Dataset(f"{s3.url}/brief/ds")
    held = {"writer": "labels, process 1 on another machine", "until": time.time() + 1000}
    dataset.fs.pipe_file(dataset.path("lock.json"), json.dumps(held).encode())
    threading.Timer(0.5, dataset.fs.rm_file, [dataset.path("lock.json")]).start()
    with dataset.lock():
        assert "labels" not in json.loads(dataset.fs.cat_file(dataset.path("lock.json")))["writer"]


def test_a_lock_that_is_no_longer_renewed_is_taken_over(s3: Any) -> None:
    dataset = Dataset(f"{s3.url}/dead/ds")
    held = {"writer": "process 1 on a machine that burnt down", "until": time.time() - 1}
    dataset.fs.pipe_file(dataset.path("lock.json"), json.dumps(held).encode())
    with dataset.lock():
        assert json.loads(dataset.fs.cat_file(dataset.path("lock.json")))["until"] > time.time()
    assert not dataset.fs.exists(dataset.path("lock.json"))
