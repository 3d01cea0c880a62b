from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.serve.label_book import Label, LabelBook, commit, now_label
from pipeline.dataset import Dataset
from pipeline.manifest import Manifest
from schemas import ConfigError

NEVER_S = 1000.0


@pytest.fixture
def book(dataset: Dataset) -> Iterator[LabelBook]:
    made = LabelBook(dataset, flush_s=NEVER_S)
    yield made
    made.close()


def stored(dataset: Dataset) -> dict[tuple[str, str], bool]:
    rows = dataset.manifest.read("labels").to_pylist()
    assert len({(row["clip_id"], row["reviewer"]) for row in rows}) == len(rows)
    return {(row["clip_id"], row["reviewer"]): row["good"] for row in rows}


def journals(dataset: Dataset) -> list[Path]:
    return sorted(Path(dataset.path(".labels")).glob("*.jsonl"))


def test_labels_are_committed_and_replace_the_reviewers_own(dataset: Dataset, book: LabelBook) -> None:
    commit(dataset, [now_label("c", "ben", True, "his")])
    book.add(now_label("c", "ana", True, None))
    book.add(now_label("d", "ana", True, None))
    assert book.flush()
    book.add(now_label("c", "ana", False, "no"))
    assert book.flush()
    assert stored(dataset) == {("c", "ben"): True, ("c", "ana"): False, ("d", "ana"): True}
    assert book.message == "All labels are saved."


def test_a_label_taken_back_is_gone(dataset: Dataset, book: LabelBook) -> None:
    book.add(now_label("c", "ana", True, None))
    assert book.flush()
    book.add(now_label("c", "ana", None, None))
    assert book.flush()
    assert stored(dataset) == {}


def test_labels_wait_while_a_run_writes_and_the_book_says_so(dataset: Dataset, book: LabelBook) -> None:
    with dataset.lock():
        book.add(now_label("c", "ana", True, None))
        assert not book.flush()
        assert "1 label kept safe in a journal, waiting" in book.message
        assert "another run is writing" in book.message
        assert stored(dataset) == {}
    assert book.flush()
    assert stored(dataset) == {("c", "ana"): True}


def test_a_run_that_starts_during_a_commit_of_labels_waits_for_its_end(
    dataset: Dataset, book: LabelBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.add(now_label("c", "ana", True, None))
    entered, replace = threading.Event(), Manifest.replace

    def slow(*given: Any, **named: Any) -> None:
        entered.set()
        time.sleep(0.3)
        replace(*given, **named)

    monkeypatch.setattr(Manifest, "replace", slow)
    flushing = threading.Thread(target=book.flush)
    flushing.start()
    assert entered.wait(20)
    with dataset.lock():
        assert stored(dataset) == {("c", "ana"): True}
    flushing.join()


def test_the_book_commits_by_itself(dataset: Dataset) -> None:
    book = LabelBook(dataset, flush_s=0.02)
    book.add(now_label("c", "ana", True, None))
    until = time.monotonic() + 20
    while book.pending() and time.monotonic() < until:
        time.sleep(0.01)
    assert stored(dataset) == {("c", "ana"): True}
    book.close()
    assert journals(dataset) == []


_DIES = """
import os, sys
from infra.serve.label_book import LabelBook, now_label
from pipeline.dataset import Dataset
book = LabelBook(Dataset(sys.argv[1]), flush_s=1000.0)
for k in range(5):
    book.add(now_label(f"c{k}", "ana", k % 2 == 0, None))
os.kill(os.getpid(), 9)
"""


def test_a_killed_server_loses_no_label(dataset: Dataset) -> None:
    done = subprocess.run([sys.executable, "-c", _DIES, dataset.root], check=False)
    assert done.returncode == -9
    (left,) = journals(dataset)
    with left.open("ab") as journal:
        journal.write(b'{"clip_id": "cut sho')
    book = LabelBook(dataset, flush_s=NEVER_S)
    assert len(book.pending()) == 5
    assert left not in journals(dataset)
    book.close()
    assert stored(dataset) == {(f"c{k}", "ana"): k % 2 == 0 for k in range(5)}


def test_what_cannot_be_committed_at_the_end_is_there_for_the_next_server(dataset: Dataset) -> None:
    first = LabelBook(dataset, flush_s=NEVER_S)
    first.add(now_label("c", "ana", True, None))
    with dataset.lock():
        first.close()
    assert len(journals(dataset)) == 1
    LabelBook(dataset, flush_s=NEVER_S).close()
    assert stored(dataset) == {("c", "ana"): True}


def test_another_running_servers_journal_is_left_alone(dataset: Dataset, book: LabelBook) -> None:
    book.add(now_label("c", "ana", True, None))
    other = LabelBook(dataset, flush_s=NEVER_S)
    assert other.pending() == []
    other.close()
    assert [label.clip_id for label in book.pending()] == ["c"]
    assert len(journals(dataset)) == 1


def test_an_old_journal_does_not_undo_a_newer_label(dataset: Dataset) -> None:
    old = Label("c", "ana", True, None, "2020-01-01T00:00:00+00:00")
    commit(dataset, [now_label("c", "ana", False, None)])
    commit(dataset, [old])
    assert stored(dataset) == {("c", "ana"): False}


def test_a_journal_that_cannot_be_written_is_one_sentence(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written down here"):
        LabelBook(dataset, tmp_path / "file" / "journals")
    assert os.listdir(tmp_path / "ds")
