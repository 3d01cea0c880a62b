from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from infra.cli import main
from infra.demo.tiny import tiny_film

SMALL = {"min_clip_s": 0.4, "max_clip_s": 1.0}
OVERRIDES = [f"scan.{key}={value}" for key, value in SMALL.items()]
NOT_CONFIGURED = {"embedding", "aesthetic", "safety", "alignment", "caption", "video_caption", "encode", "shard"}
"""Stages that need weights which nobody has named."""


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    tiny_film(folder / "a.mp4", seed=1)
    tiny_film(folder / "b.mkv", cuts=(30,), vfr=True, seed=2)
    shutil.copy(folder / "a.mp4", folder / "copy of a.mp4")
    (folder / "broken.mp4").write_bytes((folder / "a.mp4").read_bytes()[:400])
    (folder / "notes.txt").write_text("nothing to see")
    return folder


def run(footage: Path, dataset: Path, *more: str, executor: str = "local") -> int:
    arguments = ["--input", str(footage), "--dataset", str(dataset), "--executor", executor]
    return main(["run", *arguments, "max_error_share=1", *OVERRIDES, *more])


def plan(footage: Path, dataset: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capsys.readouterr()
    arguments = ["--input", str(footage), "--dataset", str(dataset), "--json", *OVERRIDES]
    assert main(["plan", *arguments, *more]) == 0
    return {stage["stage"]: stage for stage in json.loads(capsys.readouterr().out)}


def table(dataset: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(dataset / "manifest" / name)


def content(dataset: Path, name: str) -> list[Any]:
    volatile = {"run_id", "created_at", "modified_at", "elapsed_s"}
    rows = table(dataset, name)
    kept = rows[[column for column in rows.columns if column not in volatile]]
    return sorted(map(repr, kept.itertuples(index=False)))


@pytest.fixture(scope="module")
def dataset(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = tmp_path_factory.mktemp("dataset") / "ds"
    assert run(footage, dataset) == 0
    return dataset


def test_every_path_met_has_a_row_and_every_content_is_one_video(footage: Path, dataset: Path) -> None:
    files = table(dataset, "files").set_index("uri")
    outcomes = {Path(uri).name: outcome for uri, outcome in files["outcome"].items()}
    assert outcomes == {
        "a.mp4": "ok",
        "b.mkv": "ok",
        "copy of a.mp4": "ok",
        "broken.mp4": "error",
        "notes.txt": "ignored",
    }
    assert files.loc[str(footage / "broken.mp4"), "error_kind"]
    videos = table(dataset, "videos")
    assert sorted(Path(uri).name for uri in videos["uri"]) == ["a.mp4", "b.mkv"]
    assert set(videos["num_frames"]) == {60}


def test_the_cuts_are_where_they_were_made(dataset: Path) -> None:
    videos = table(dataset, "videos").set_index("video_id")["uri"]
    shots = table(dataset, "shots").sort_values(["video_id", "shot_index"])
    starts = {Path(videos[video]).name: list(rows["start_frame"]) for video, rows in shots.groupby("video_id")}
    assert starts == {"a.mp4": [0, 20, 40], "b.mkv": [0, 30]}


def test_each_clip_has_scores_and_a_preview(dataset: Path) -> None:
    clips, scores = table(dataset, "clips"), table(dataset, "scores/scan")
    assert set(clips["clip_id"]) == set(scores["clip_id"])
    assert len(clips) >= 5
    for video_id in clips["video_id"].unique():
        assert (dataset / "previews" / video_id[:2] / f"{video_id}.tar").stat().st_size > 1_000


def test_a_second_run_has_nothing_to_do_and_a_moved_file_costs_no_scan(
    footage: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = plan(footage, dataset, capsys)
    assert {name for name, stage in planned.items() if "not_configured" in stage} == NOT_CONFIGURED
    assert [name for name, stage in planned.items() if name not in NOT_CONFIGURED and stage["todo"]] == []
    moved, copied = tmp_path / "moved", tmp_path / "ds"
    shutil.copytree(footage, moved)
    shutil.copytree(dataset, copied)
    (moved / "a.mp4").rename(moved / "z.mp4")
    before = content(copied, "clips")
    assert run(moved, copied) == 0
    record = json.loads(max((copied / "runs").iterdir(), key=lambda path: path.stat().st_mtime).read_text())
    assert {stage["name"]: stage["items"] for stage in record["stages"]}["scan"] == 0
    assert content(copied, "clips") == before


@pytest.mark.parametrize(
    ("override", "stale"),
    [
        pytest.param("scan.min_clip_s=0.45", {"config changed": 2}, id="a threshold of scan"),
        pytest.param("scan.segment_s=30", {}, id="what cannot change the rows"),
        pytest.param("executor.cpus=1", {}, id="where it runs"),
    ],
)
def test_exactly_the_affected_work_is_stale(
    footage: Path, dataset: Path, capsys: pytest.CaptureFixture[str], override: str, stale: dict[str, int]
) -> None:
    planned = plan(footage, dataset, capsys, override)
    assert (planned["scan"]["stale"], planned["ingest"]["stale"]) == (stale, {})


def test_ray_and_this_process_give_the_same_tables(footage: Path, dataset: Path, tmp_path: Path) -> None:
    # The scan, and one of the scorers, which are all of one class; what comes after is not worked on by Ray.
    other = tmp_path / "ds"
    assert run(footage, other, "--until", "text_area", executor="ray") == 0
    made = {str(log.parent.relative_to(other / "manifest")) for log in (other / "manifest").rglob("_delta_log")}
    assert made >= {"files", "videos", "shots", "clips", "scores/scan", "scores/text_area", "fingerprints"}
    for name in made - {"ledger"}:
        assert content(other, name) == content(dataset, name), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["run", "--dataset", "ds"], "there is no input: give --input", id="no input"),
        pytest.param(["run", "--input", "x"], "there is no dataset: give --dataset", id="no dataset"),
        pytest.param(["run", "--input", "nowhere", "--dataset", "ds"], "nowhere", id="missing folder"),
        pytest.param(
            ["run", "--input", ".", "--dataset", "ds", "scan.max_clip=3"],
            "scan has no 'max_clip'; did you mean 'max_clip_s'?",
            id="unknown key",
        ),
        pytest.param(
            ["plan", "--input", ".", "--dataset", "ds", "--until", "scna"],
            "did you mean 'scan'?",
            id="unknown stage",
        ),
        pytest.param(["run", "none.yaml", "--input", "."], "none.yaml: cannot be read", id="missing config"),
        pytest.param(["inspect", "nowhere"], "nowhere", id="no dataset to inspect"),
        pytest.param(
            ["run", "--input", ".", "--dataset", "/proc/nothing"], "/proc/nothing: cannot be", id="unwritable"
        ),
    ],
)
def test_wrong_use_gets_one_sentence_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("rushes: ")
    assert err.count("\n") == 1


def test_too_many_failed_items_give_status_1_after_a_whole_run(footage: Path, tmp_path: Path) -> None:
    assert run(footage, tmp_path / "ds", "max_error_share=0.1") == 1
    assert len(table(tmp_path / "ds", "clips")) >= 5


def test_a_full_disk_gets_one_sentence(footage: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("making a file system that is soon full needs the right to mount one")
    try:
        arguments = [
            "--input",
            str(footage),
            "--dataset",
            str(small / "ds"),
            "--executor",
            "local",
            *OVERRIDES,
        ]
        command = [sys.executable, "-m", "infra.cli.main", "run", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert (done.returncode, "No space left" in done.stderr or "no space left" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
