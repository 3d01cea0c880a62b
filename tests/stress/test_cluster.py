"""A cluster of three nodes that share nothing but the network and an object store; one of them dies."""

from __future__ import annotations

import random
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from infra.bench.compare import differences, tables_of
from infra.bench.footage import drawn_videos
from infra.bench.interrupt import Setting

pytestmark = pytest.mark.stress

_NUM_FILMS = 60


def test_a_node_that_dies_in_the_middle_costs_nothing(
    tmp_path: Path,
    object_store: Any,
    cluster_env: dict[str, str],
    three_nodes: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    object_store.client.create_bucket(Bucket="footage")
    object_store.client.create_bucket(Bucket="datasets")
    films = drawn_videos(tmp_path / "films", _NUM_FILMS, num_frames=240, width=640, height=360)
    for film in films.rglob("*.mp4"):
        object_store.client.upload_file(str(film), "footage", film.name)
    for name, value in cluster_env.items():
        monkeypatch.setenv(name, value)
    setting = Setting(
        scratch=tmp_path,
        inputs=["s3://footage"],
        arguments=("--executor", "ray", "--address", three_nodes[0].address),
        remote="s3://datasets",
    )
    whole_s = setting.finish("undisturbed")
    assert len(tables_of(setting.dataset("undisturbed"))["videos"]) == _NUM_FILMS
    assert all(node.shipped() for node in three_nodes), "not every node was sent our code"

    seed = secrets.randbelow(10**6)
    after_s = random.Random(seed).uniform(0.4, 0.8) * whole_s
    with setting.start("disturbed") as run:
        time.sleep(after_s)
        assert run.process.poll() is None, "the run was over before the kill"
        num_killed = three_nodes[2].kill()
        status = run.wait(600)
        met_s = run.elapsed_s
    again_s = setting.finish("disturbed")
    found = differences(setting.dataset("undisturbed"), setting.dataset("disturbed"))
    print(
        f"three nodes: undisturbed {whole_s:.1f} s; one killed at {after_s:.1f} s (seed {seed}, {num_killed} "
        f"processes): status {status} after {met_s:.1f} s, again {again_s:.1f} s: {found or 'equal tables'}"
    )
    assert found == []
    assert status == 0
