from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main
from pipeline.dataset import Dataset
from pipeline.views import view_name
from schemas import TABLES


@pytest.fixture
def made(tmp_path: Path) -> str:
    """A dataset of two files, one of them broken."""
    dataset = Dataset(str(tmp_path / "ds"))
    dataset.create()
    dataset.write_description({}, {})
    broken = {"uri": "/b\x1b[2J.mp4", "outcome": "error", "error_kind": "corrupt", "error": "nothing decodes"}
    dataset.manifest.append("files", [{"uri": "/a.mp4", "video_id": "v", "outcome": "ok", "num_bytes": 1000}, broken])
    dataset.manifest.append("videos", [{"video_id": "v", "uri": "/a.mp4", "duration_s": 10.0}])
    dataset.manifest.append(
        "clips", [{"clip_id": "c" * 32, "video_id": "v", "shot_index": 0, "start_s": 0.0, "end_s": 4.0}]
    )
    return dataset.root


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["inspect", *argv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_without_an_option_there_is_an_overview(made: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = dict(line.split(maxsplit=1) for line in said(capsys, made).splitlines())
    assert lines["files"] == "2, 1.0 kB: 1 error, 1 ok"
    assert lines["errors"] == "1 corrupt"
    assert lines["clips"] == "1, 4.0 s, 40.0 % of the footage"
    assert lines["tables"] == "files 2, videos 1, clips 1"
    found = json.loads(said(capsys, made, "--json"))
    assert (found["clips"], found["clips_s"], found["errors"]) == (1, 4.0, {"corrupt": 1})


def test_sql_prints_a_table_or_json(made: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT uri, num_bytes FROM files ORDER BY uri"
    table = said(capsys, made, "--sql", sql).splitlines()
    assert table[0].split() == ["uri", "num_bytes"]
    assert table[3].split() == [r"/b\x1b[2J.mp4", "NULL"]
    rows = json.loads(said(capsys, made, "--sql", sql, "--json"))
    assert rows == [{"uri": "/a.mp4", "num_bytes": 1000}, {"uri": "/b\x1b[2J.mp4", "num_bytes": None}]


def test_the_funnel_is_text_or_json(made: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "error: corrupt" in said(capsys, made, "--funnel")
    assert [step["count"] for step in json.loads(said(capsys, made, "--funnel", "--json"))] == [
        2,
        1,
        1,
        0,
        0,
        1,
    ]


def test_buckets_are_text_or_json(made: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, made, "--buckets") == "no clip has a bucket\n"
    assert json.loads(said(capsys, made, "--buckets", "--json"))["all"]["num_clips"] == 0
    size = {"clip_id": "d" * 32, "width": 1280, "height": 720}
    manifest = Dataset(made).manifest
    manifest.append("clips", [size | {"num_frames": 50}])
    manifest.append("buckets", [size | {"height": 704, "frames": 49, "frame_step": 1}])
    lines = said(capsys, made, "--buckets").splitlines()
    assert lines[1].split() == ["1280x720", "1", "2.2%", "0.0%", "0.0%", "2.0%", "1280x704"]
    (row,) = json.loads(said(capsys, made, "--buckets", "--json"))["by_native_size"]
    assert (row["width"], row["cut_ratio"]) == (1280, 0.02)


def test_the_report_is_written_and_named(made: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert said(capsys, made, "--report", str(out)).startswith(f"{out}: ")
    told = json.loads(said(capsys, made, "--report", str(out), "--json"))
    assert told == {"report": str(out), "num_bytes": out.stat().st_size}


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--sql", "SELECT clipid FROM clips"], "clip_id"),
        (["--sql", "DROP VIEW clips"], "only read"),
        (["--clip", "d"], "no clip"),
        (["--report", "/nowhere/page.html"], "no folder"),
        (["--sql", "SELECT 1", "--timeout", "0"], "--timeout 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(
    made: str, capsys: pytest.CaptureFixture[str], argv: list[str], told: str
) -> None:
    assert main(["inspect", made, *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_folder_without_a_dataset_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path)]) == 2
    assert "holds no dataset" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_two_questions_at_once_are_refused(made: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", made, "--funnel", "--sql", "SELECT 1"])
    assert "not allowed with" in capsys.readouterr().err


def test_help_names_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["inspect", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert [name for name in TABLES if view_name(name) not in text] == []
    assert "files, videos, shots, clips, scores_scan," in text


def test_reading_leaves_the_dataset_as_it_was(made: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> dict[str, Any]:
        return {str(path): path.stat().st_mtime_ns for path in Path(made).rglob("*")}

    before = state()
    for argv in (
        [],
        ["--funnel"],
        ["--clip", "c"],
        ["--report", str(tmp_path / "p.html")],
        ["--sql", "FROM clips"],
    ):
        said(capsys, made, *argv)
    assert state() == before


def test_only_the_report_page_needs_opencv_and_jinja() -> None:
    code = "import sys, infra.inspect; print({'cv2', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
