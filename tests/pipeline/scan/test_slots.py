from __future__ import annotations

import subprocess
import sys

import pytest

import pipeline.scan.slots
from pipeline.scan.scratch import scratch_folder
from pipeline.scan.slots import Slots, own_folder
from schemas.errors import ConfigError

HOLD = """
import sys, time
from pathlib import Path
from pipeline.scan.slots import Slots
from pipeline.scan.scratch import scratch_folder
slot = Slots(2, Path(sys.argv[1])).take()
with scratch_folder(Path(sys.argv[2])) as folder:
    (folder / "big").write_bytes(bytes(10))
    print(folder, flush=True)
    time.sleep(60)
"""


def test_no_more_slots_are_given_than_there_are(tmp_path):
    slots, others = Slots(2, tmp_path), Slots(2, tmp_path)
    first, second = slots.take(), others.take()
    assert first is not None
    assert second is not None
    assert slots.take() is None
    first.free()
    third = others.take()
    assert third is not None
    for slot in (second, third):
        slot.free()


def test_what_a_killed_process_held_is_free_again(tmp_path):
    places, scratch = tmp_path / "slots", tmp_path / "scratch"
    places.mkdir()
    scratch.mkdir()
    command = [sys.executable, "-c", HOLD, str(places), str(scratch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        left = holder.stdout.readline().strip()
        slots = Slots(2, places)
        mine = slots.take()
        assert slots.take() is None
        with scratch_folder(scratch):
            assert (scratch / left / "big").exists()
        holder.kill()
        holder.wait()
    freed = slots.take()
    assert freed is not None
    with scratch_folder(scratch):
        assert not (scratch / left).exists()
    freed.free()
    mine.free()


def test_a_scratch_folder_is_gone_after_an_error(tmp_path):
    def fail() -> None:
        with scratch_folder(tmp_path) as folder:
            (folder / "big").write_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_link_in_the_place_of_our_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.scan.slots.tempfile, "gettempdir", lambda: str(tmp_path))
    own = own_folder("slots")
    assert own.stat().st_mode & 0o077 == 0
    own.rmdir()
    own.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="not a folder of this user's"):
        own_folder("slots")
