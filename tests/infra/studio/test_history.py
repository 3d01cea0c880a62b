from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.studio.history import ID, Entry, History, new_id
from schemas import ConfigError

RECORD = {"prompt": "p", "width": 40, "height": 32, "num_frames": 8, "frame_rate": [24000, 1001]}


def add(history: History, second: int, *, of: int = 0, number: int = 0, suffix: str = ".mp4", **more: Any) -> Entry:
    name = f"20260101-0000{second:02}-{second:08x}"
    set_id = f"20260101-0000{of or second:02}-{of or second:08x}"
    values = {"id": name, "set_id": set_id, "number": number, "suffix": suffix, "form": {"mode": "text"}}
    entry = Entry.model_validate({**values, "record": RECORD, **more})
    history.file(entry).write_bytes(b"frames")
    history.add(entry, b"jpeg")
    return entry


def names(entries: list[Entry]) -> list[int]:
    return [int(entry.id[-8:], 16) for entry in entries]


def test_results_are_there_after_a_restart_each_with_its_record_beside_it(tmp_path: Path) -> None:
    entry = add(History(tmp_path / "new"), 1, notes=["cut"])
    again = History(tmp_path / "new")
    assert again.newest(9) == [entry]
    assert again.find(entry.id) == entry
    beside = json.loads((tmp_path / "new" / f"{entry.id}.json").read_text())
    assert beside["record"] == RECORD
    assert again.drafts(entry) == []
    names = [f"{entry.id}.draft{number}.mp4" for number in ("", "-2")]
    for name in (*names, f"{entry.id}.draft-4.mp4"):
        (tmp_path / "new" / name).write_bytes(b"")
    assert [path.name for path in again.drafts(entry)] == names


def test_the_newest_come_first_and_sets_stay_together(tmp_path: Path) -> None:
    history = History(tmp_path)
    add(history, 1)
    for k in (2, 3, 4):
        add(history, k, of=2, number=k - 2)
    add(history, 5)
    assert names(history.newest(9)) == [5, 2, 3, 4, 1]
    assert names(history.newest(2)) == [5, 2, 3, 4]
    assert names(history.newest(9, before=history.newest(2)[-1].set_id)) == [1]
    assert history.newest(9, before="") == []


def test_a_result_can_be_gone_on_from(tmp_path: Path) -> None:
    history = History(tmp_path)
    video, picture = add(history, 1), add(history, 2, suffix=".png")
    reference = history.reference(video.id)
    assert reference is not None
    assert (reference.is_image, reference.width, reference.path) == (False, 40, tmp_path / f"{video.id}.mp4")
    assert reference.seconds == pytest.approx(8 * 1001 / 24000)
    found = history.reference(picture.id)
    assert found is not None
    assert (found.is_image, found.seconds) == (True, None)
    assert history.reference("20260101-000009-00000009") is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"id": 5}',
        "\xff",
        pytest.param({"suffix": ".sh"}, id="another ending"),
        pytest.param({"id": "20260101-000009-00000009"}, id="another's id"),
        pytest.param({"record": {**RECORD, "width": "<img>"}}, id="a width that is none"),
        pytest.param({"record": {**RECORD, "frame_rate": [0, 0]}}, id="a rate that is none"),
        pytest.param({"record": {}}, id="an empty record"),
        pytest.param({"form": {"seconds": float("nan")}}, id="no number"),
    ],
)
def test_a_record_that_says_nothing_is_counted_and_left_alone(tmp_path: Path, text: Any) -> None:
    history = History(tmp_path)
    kept, bad = add(history, 1), add(history, 2)
    path = tmp_path / f"{bad.id}.json"
    if isinstance(text, dict):
        text = json.dumps({**json.loads(path.read_text()), **text})
    path.write_text(text, encoding="latin-1")
    again = History(tmp_path)
    assert (again.newest(9), again.num_unread) == ([kept], 1)
    assert path.read_text(encoding="latin-1") == text


def test_what_a_later_version_writes_besides_hides_nothing(tmp_path: Path) -> None:
    entry = add(History(tmp_path), 1)
    path = tmp_path / f"{entry.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "stars": 5}))
    assert History(tmp_path).newest(1) == [entry]


def test_a_result_whose_file_is_gone_is_gone(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.file(add(history, 1)).unlink()
    assert len(History(tmp_path)) == 0


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        History(tmp_path / "file" / "history")


def test_ids_look_like_ids() -> None:
    assert ID.fullmatch(new_id())
    assert new_id() != new_id()
