from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.bench.compare import differences, tables_of
from pipeline.dataset import Dataset


def dataset(root: Path, rows: list[dict[str, Any]], preview: bytes = b"tar") -> str:
    place = Dataset(str(root))
    place.create()
    for row in rows:
        place.manifest.append("files", [row])
    path = Path(place.preview_path("ab" * 16))
    path.parent.mkdir(parents=True)
    path.write_bytes(preview)
    return str(root)


ROW = {"uri": "a.mp4", "video_id": "ab" * 16, "outcome": "ok"}
OTHER = {"uri": "b.mp4", "outcome": "ignored"}


def test_order_and_times_make_no_difference(tmp_path: Path) -> None:
    one = dataset(tmp_path / "1", [ROW | {"modified_at": datetime(2020, 1, 1, tzinfo=UTC)}, OTHER])
    other = dataset(tmp_path / "2", [OTHER, ROW | {"modified_at": datetime(2021, 1, 1, tzinfo=UTC)}])
    assert differences(one, other) == []
    assert len(tables_of(one)["files"]) == 2


def test_a_changed_a_missing_and_a_doubled_row_are_told_apart(tmp_path: Path) -> None:
    one = dataset(tmp_path / "1", [ROW, OTHER])
    changed = dataset(tmp_path / "2", [ROW | {"outcome": "error"}, OTHER])
    missing = dataset(tmp_path / "3", [ROW])
    doubled = dataset(tmp_path / "4", [ROW, OTHER, OTHER])
    assert "'error'" in differences(one, changed)[0]
    assert "files: 2 and 1 rows" in differences(one, missing)[0]
    assert "more than once" in differences(one, doubled)[0]


def test_another_preview_picture_is_a_difference(tmp_path: Path) -> None:
    one, other = dataset(tmp_path / "1", [ROW]), dataset(tmp_path / "2", [ROW], preview=b"other")
    assert differences(one, other) == [f"previews/ab/{'ab' * 16}.tar differs or is missing"]
