from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from pipeline.shards import Placed, Sample, ShardError, ShardStore, read_sample, read_shard, write_shard
from schemas import ConfigError, ErrorKind, MediaError

MEMBER = "latent.safetensors"


def sample(number: int, size: int = 5, **about: Any) -> Sample:
    key = f"{number:032x}"
    data = save({"latent": np.arange(size, dtype=np.float32) + number})
    return Sample(key, {"clip_id": key, "scores": {"motion": 0.25}, **about}, {MEMBER: data})


def written(*samples: Sample) -> tuple[bytes, list[Placed]]:
    file = io.BytesIO()
    placed = write_shard(file, samples)
    return file.getvalue(), placed


def read(data: bytes) -> list[Sample]:
    return list(read_shard(io.BytesIO(data), "s/000000.tar"))


def complaint(data: bytes) -> str:
    with pytest.raises(ShardError) as caught:
        read(data)
    assert isinstance(caught.value, ConfigError)
    return str(caught.value)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.binary(min_size=1, max_size=3000),
            st.dictionaries(st.text(max_size=5).map("_".__add__), st.text() | st.floats(allow_nan=False), max_size=4),
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(contents: list[tuple[bytes, dict[str, Any]]]) -> None:
    made = []
    for number, (data, about) in enumerate(contents):
        finite = {name: value for name, value in about.items() if value not in (float("inf"), float("-inf"))}
        made.append(Sample(f"{number:032x}", finite, {"mp4": data, "text.safetensors": b""}))
    data, placed = written(*made)
    assert read(data) == made
    for one, where in zip(made, placed, strict=True):
        assert read_sample(io.BytesIO(data), where, "s") == one
        assert where.sha256 == one.sha256


def test_the_same_samples_give_the_same_bytes() -> None:
    first, _ = written(sample(1, note="ä"), sample(2))
    turned = Sample(sample(1).key, {"note": "ä", **sample(1).about}, dict(sample(1).members))
    assert written(turned, sample(2))[0] == first
    # And these bytes: another format is another version.
    assert hashlib.sha256(written(sample(1), sample(2))[0]).hexdigest() == (
        "5f4983751c841eb601e0b950a367394610a60633f039cf56f6677d076136cb4b"
    )


def test_python_s_tarfile_reads_it(tmp_path: Path) -> None:
    data, placed = written(sample(1), sample(2))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        members = tar.getmembers()
        assert [member.name.partition(".")[2] for member in members] == ["json", MEMBER] * 2
        assert {(member.mtime, member.mode, member.uid, member.gid) for member in members} == {(0, 0o644, 0, 0)}
        assert {(member.uname, member.gname) for member in members} == {("", "")}
        offsets = [member.offset_data for member in members]
    assert offsets == [offset for one in placed for offset in one.offsets]


# It leaves the files that it opened to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_plain_webdataset_reads_it(tmp_path: Path) -> None:
    import webdataset

    store = ShardStore(str(tmp_path))
    store.write("latent-0/000003.tar", [sample(1), sample(2)])
    dataset = webdataset.WebDataset(store.path("latent-0/000003.tar"), shardshuffle=False)
    found = list(dataset)
    assert [one["__key__"] for one in found] == [sample(1).key, sample(2).key]
    assert load(found[1][MEMBER])["latent"].tolist() == [2, 3, 4, 5, 6]
    assert json.loads(found[0]["json"])["scores"] == {"motion": 0.25}


def test_what_is_cut_off_is_refused_wherever_it_is_cut() -> None:
    data, _ = written(sample(1), sample(2))
    for length in {0, 1, 511, 512, 1000, len(data) // 2, len(data) - 1024, len(data) - 512, len(data) - 1}:
        assert "is cut off" in complaint(data[:length])


def test_a_changed_bit_is_refused_wherever_it_is() -> None:
    data, _ = written(sample(1), sample(2))
    for place in range(0, len(data), 5):
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << place % 8
        complaint(bytes(spoilt))


def test_a_sample_is_refused_that_is_not_the_one_the_manifest_means() -> None:
    data, placed = written(sample(1), sample(2))
    first, second = placed
    with pytest.raises(ShardError, match="damaged, or not the one that the manifest means"):
        read_sample(io.BytesIO(data), replace(first, sha256=second.sha256), "s")
    with pytest.raises(ShardError, match="is damaged"):
        read_sample(io.BytesIO(data), replace(first, offsets=second.offsets), "s")
    with pytest.raises(ShardError, match="is cut off"):
        read_sample(io.BytesIO(data), replace(first, sizes=(first.sizes[0], 10**9)), "s")
    for offsets, sizes in (((-512, 0), first.sizes), (first.offsets, (-1, 5))):
        with pytest.raises(ShardError, match="the manifest says"):
            read_sample(io.BytesIO(data), replace(first, offsets=offsets, sizes=sizes), "s")


def test_another_version_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shards.SHARD_VERSION", 9)
    data, _ = written(sample(1))
    monkeypatch.undo()
    assert "is of version 9, we read 1" in complaint(data)


def tar_of(name: str, data: bytes, **fields: Any) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512) + bytes(1024)


KEY = f"{1:032x}"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(tar_of("../../etc/passwd", b"x"), "it holds '../../etc/passwd'", id="a way out"),
        pytest.param(tar_of(f"{KEY}.json", b"", type=tarfile.SYMTYPE, linkname="/etc"), "it holds", id="a link"),
        pytest.param(tar_of(f"{KEY}.pyd", b"x"), "comes before its json", id="no json"),
        pytest.param(tar_of(f"{KEY}.json", b"[" * 100_000), "json is damaged", id="json that is deep"),
        pytest.param(tar_of(f"{KEY}.json", b"[1]"), "json is damaged", id="json that is a list"),
        pytest.param(tar_of(f"{KEY}.json", b" " * (5 << 20)), "has 5242880 bytes", id="json that is long"),
        pytest.param(b"\x80\x04\x95" + bytes(600), "is damaged", id="a pickle"),
        pytest.param(written(sample(1))[0] + b"more", "something follows its end", id="more behind the end"),
    ],
)
def test_what_is_no_shard_of_ours_is_refused(data: bytes, said: str) -> None:
    assert said in complaint(data)


def test_keys_ascend() -> None:
    with pytest.raises(ValueError, match="keys ascend"):
        written(sample(2), sample(1))
    with pytest.raises(ValueError, match="keys ascend"):
        written(sample(1), sample(1))
    one, two = written(sample(1))[0], written(sample(2))[0]
    assert "follows" in complaint(two[:-1024] + one)


def test_a_writer_says_nothing_that_is_the_format_s() -> None:
    with pytest.raises(ValueError, match="'version' is the format's own entry"):
        written(sample(1, version=3))
    with pytest.raises(ValueError, match="has members beside its json"):
        written(Sample(KEY, {}, {}))
    with pytest.raises(ValueError, match="is no member of a shard"):
        written(Sample("../x", {}, {"mp4": b""}))
    with pytest.raises(ValueError, match="JSON compliant"):
        written(sample(1, bad=float("nan")))


def test_a_store_keeps_names_apart(tmp_path: Path) -> None:
    store = ShardStore(str(tmp_path))
    assert store.names("a") == []
    store.write("a/000001.tar", [sample(1)])
    store.write("a/000000.tar", [sample(2)])
    store.write("b/000000.tar", [sample(3)])
    assert store.names("a") == ["a/000000.tar", "a/000001.tar"]
    assert [one.key for one in store.read("b/000000.tar")] == [sample(3).key]
    store.remove("a/000001.tar")
    store.remove("a/000001.tar")
    assert store.names("a") == ["a/000000.tar"]
    with pytest.raises(ShardError, match="there is no such shard"):
        list(store.read("a/000001.tar"))


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "shards").write_text("a file")
    with pytest.raises(MediaError) as caught:
        ShardStore(str(tmp_path)).write("a/000000.tar", [sample(1)])
    assert caught.value.kind is ErrorKind.storage


def test_a_shard_whose_writing_fails_leaves_what_was_there(tmp_path: Path) -> None:
    store = ShardStore(str(tmp_path))
    store.write("a/000000.tar", [sample(1)])

    def breaking() -> Iterator[Sample]:
        yield sample(2)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError):
        store.write("a/000000.tar", breaking())
    assert [one.key for one in store.read("a/000000.tar")] == [sample(1).key]


WRITER = """
import sys, time
from pipeline.shards import Sample, ShardStore

def endless():
    for number in range(10**9):
        yield Sample(f"{number:032x}", {}, {"mp4": bytes(200_000)})
        if number == 20:
            print("half", flush=True)

ShardStore(sys.argv[1]).write("a/000000.tar", endless())
"""


def test_a_killed_writer_leaves_nothing_half(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        os.kill(writer.pid, signal.SIGKILL)
    store = ShardStore(str(tmp_path))
    assert store.names("a") == []
    assert len(list((tmp_path / "shards" / "a").iterdir())) == 1
    store.write("a/000000.tar", [sample(1)])
    # What the killed one left is gone too.
    assert [path.name for path in (tmp_path / "shards" / "a").iterdir()] == ["000000.tar"]


def test_shards_lie_on_an_object_store_too(s3: Any) -> None:
    store = ShardStore(f"{s3.url}/ds")
    (placed,) = store.write("a/000000.tar", [sample(1)])
    assert store.names("a") == ["a/000000.tar"]
    assert [one.key for one in store.read("a/000000.tar")] == [sample(1).key]
    with store.open("a/000000.tar") as file:
        assert read_sample(file, placed, "a/000000.tar") == sample(1)
    store.remove("a/000000.tar")
    assert store.names("a") == []
