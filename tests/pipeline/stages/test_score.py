from __future__ import annotations

import io
import json
import struct
import tarfile
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.dataset import Dataset
from pipeline.previews import read_previews, write_previews
from pipeline.scorers import ClipView
from pipeline.stages.score import ScoreClips, finite
from pipeline.stages.video_clips import VideoClips, packed
from schemas import TRANSIENT, ErrorKind, MediaError, Resources, Result

SHAPE = {"width": 64, "height": 48, "crop_x": 0, "crop_y": 0, "crop_width": 64, "crop_height": 48}


class Lightness:
    """A scorer whose values can be told in advance: the mean level of the pictures, and how many there are."""

    name = "aesthetic"
    version = 1
    resources = Resources()
    seconds_a_clip = 0.01

    def __init__(self, batch_clips: int = 3, needs: Iterable[str] = ("pictures",)) -> None:
        self.batch_clips = batch_clips
        self.needs = frozenset(needs)
        self.batches: list[list[str]] = []
        self.seen: dict[str, ClipView] = {}

    def models(self) -> Mapping[str, str]:
        return {}

    def setup(self) -> None: ...

    def score(self, clips: Sequence[ClipView]) -> list[Mapping[str, object]]:
        self.batches.append([clip.clip_id for clip in clips])
        self.seen |= {clip.clip_id: clip for clip in clips}
        if any(clip.clip_id.startswith("bad") for clip in clips):
            raise MediaError(ErrorKind.corrupt, "a bad clip")
        return [{"aesthetic": np.float32(np.mean([p.mean() for p in clip.pictures] or [0]))} for clip in clips]


def jpeg(level: int, size: tuple[int, int] = (48, 64)) -> bytes:
    return cv2.imencode(".jpg", np.full((*size, 3), level, np.uint8))[1].tobytes()


def item(video_id: str, clip_ids: Sequence[str], **shape: int) -> VideoClips:
    clips = json.dumps([packed({"clip_id": clip_id, **SHAPE, **shape}) for clip_id in clip_ids])
    return VideoClips(video_id, len(clip_ids), 0.01, clips, "upstream")


def run(scorer: Lightness, dataset: Dataset, items: Sequence[VideoClips]) -> list[Result]:
    stage = ScoreClips(scorer, dataset.root)
    stage.setup()
    return list(stage([stage.load(one.to_row()) for one in items]))


def values(result: Result) -> dict[str, float]:
    return {str(row["clip_id"]): round(float(str(row["aesthetic"]))) for row in result.rows["scores/aesthetic"]}


def put_tar(dataset: Dataset, video_id: str, data: bytes) -> None:
    path = Path(dataset.preview_path(video_id))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(str(tmp_path / "ds"))


def test_every_video_has_one_result_with_its_clips_in_their_order(dataset: Dataset) -> None:
    for k, video in enumerate(("v0", "v1", "v2")):
        pictures = [(f"{video}c{c}.{p}.jpg", jpeg(40 * k + 10 * c)) for c in range(3) for p in range(2)]
        write_previews(dataset, video, pictures)
    items = [item(video, [f"{video}c{c}" for c in range(3)]) for video in ("v0", "v1", "v2")]
    scorer = Lightness(batch_clips=4)
    results = run(scorer, dataset, items)
    assert [result.input_id for result in results] == ["v0", "v1", "v2"]
    assert values(results[1]) == {"v1c0": 40, "v1c1": 50, "v1c2": 60}
    assert all(result.error is None and result.busy_s > 0 for result in results)
    # Batches are filled across videos, so that a model sees few of them.
    assert [len(batch) for batch in scorer.batches] == [4, 4, 1]


def test_scores_do_not_depend_on_the_size_of_batches(dataset: Dataset) -> None:
    write_previews(dataset, "v", [(f"c{c}.0.jpg", jpeg(20 * c)) for c in range(7)])
    items = [item("v", [f"c{c}" for c in range(7)])]
    rows = [run(Lightness(size), dataset, items)[0].rows for size in (1, 2, 7, 100)]
    assert all(row == rows[0] for row in rows)


def test_a_picture_is_cut_to_the_crop_at_its_own_scale(dataset: Dataset) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[8:40, 16:48] = (0, 0, 255)
    write_previews(dataset, "v", [("c.0.jpg", cv2.imencode(".jpg", picture, [1, 100])[1].tobytes())])
    scorer = Lightness()
    shape = {"width": 640, "height": 480, "crop_x": 160, "crop_y": 80, "crop_width": 320, "crop_height": 320}
    run(scorer, dataset, [item("v", ["c"], **shape)])
    (seen,) = scorer.seen["c"].pictures
    assert seen.shape == (32, 32, 3)
    # Red is first.
    assert seen[4:-4, 4:-4, 0].min() > 240
    assert seen[4:-4, 4:-4, 1:].max() < 20


def test_a_clip_without_pictures_gets_no_row_and_the_error_names_it(dataset: Dataset) -> None:
    write_previews(dataset, "v", [("c0.0.jpg", jpeg(100))])
    (result,) = run(Lightness(), dataset, [item("v", ["c0", "c1"])])
    assert values(result) == {"c0": 100}
    assert result.error is not None
    assert result.error.kind is ErrorKind.preview
    assert "c1" in str(result.error)
    # The scan that brings the pictures back does not change the key of this unit.
    assert ErrorKind.preview in TRANSIENT


def test_other_pictures_of_a_clip_count_where_one_is_broken(dataset: Dataset) -> None:
    whole = jpeg(100)
    write_previews(dataset, "v", [("c.0.jpg", whole[:-40]), ("c.1.jpg", whole), ("c.2.jpg", b"GIF89a")])
    (result,) = run(Lightness(), dataset, [item("v", ["c"])])
    assert values(result) == {"c": 100}
    assert result.error is None


@pytest.mark.parametrize("data", [None, b"", b"no tar" * 400, b"\x1f\x8b" + bytes(1000)], ids=str)
def test_a_missing_or_broken_tar_costs_its_own_video_only(dataset: Dataset, data: bytes | None) -> None:
    write_previews(dataset, "good", [("c.0.jpg", jpeg(10))])
    if data is not None:
        put_tar(dataset, "bad", data)
    bad, good = run(Lightness(), dataset, [item("bad", ["d"]), item("good", ["c"])])
    assert bad.error is not None
    assert bad.error.kind is ErrorKind.preview
    assert "d" in str(bad.error)
    assert good.error is None
    assert values(good) == {"c": 10}


def test_a_tar_that_is_cut_off_gives_the_clips_before_the_damage(dataset: Dataset) -> None:
    write_previews(dataset, "v", [(f"c{k}.0.jpg", jpeg(50)) for k in range(4)])
    path = Path(dataset.preview_path("v"))
    with tarfile.open(path) as tar:
        third = tar.getmember("c2.0.jpg").offset_data
    path.write_bytes(path.read_bytes()[: third + 100])
    (result,) = run(Lightness(), dataset, [item("v", [f"c{k}" for k in range(4)])])
    assert set(values(result)) == {"c0", "c1"}
    assert result.error is not None
    assert "2 of 4" in str(result.error)


def test_members_that_we_did_not_write_do_no_harm(dataset: Dataset, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(255))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("../../c.0.jpg", "/c.0.jpg", "c.0.jpg/..", "c.9999.jpg", "C.0.JPG", "x" * 3000, "other.0.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(jpeg(255))
            tar.addfile(member, io.BytesIO(jpeg(255)))
        for kind, target in ((tarfile.SYMTYPE, str(secret)), (tarfile.LNKTYPE, "other.0.jpg")):
            link = tarfile.TarInfo("c.1.jpg")
            link.type, link.linkname = kind, target
            tar.addfile(link)
        member = tarfile.TarInfo("c.2.jpg")
        member.size = len(jpeg(30))
        tar.addfile(member, io.BytesIO(jpeg(30)))
    put_tar(dataset, "v", buffer.getvalue())
    (result,) = run(Lightness(), dataset, [item("v", ["c"])])
    assert values(result) == {"c": 30}


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def test_a_member_that_says_it_is_huge_takes_no_memory(dataset: Dataset) -> None:
    picture = jpeg(30)
    block = picture + bytes(-len(picture) % 512)
    first = header("c.0.jpg", len(picture)) + block
    put_tar(dataset, "huge", first + header("d.0.jpg", 2**30) + bytes(2048))
    sparse = bytearray(header("d.0.jpg", 512, tarfile.GNUTYPE_SPARSE))
    sparse[386:410] = b"%011o\0%011o\0" % (0, 512)
    sparse[483:495] = b"%011o\0" % (2**32)
    sparse[148:156] = b"        "
    sparse[148:156] = b"%06o\0 " % sum(sparse[:512])
    put_tar(dataset, "sparse", first + bytes(sparse) + bytes(2048))
    put_tar(dataset, "chain", header("././@LongLink", 512, tarfile.GNUTYPE_LONGNAME).ljust(1024, b"a") * 3000)
    tracemalloc.start()
    results = run(Lightness(), dataset, [item(name, ["c", "d"]) for name in ("huge", "sparse", "chain")])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20
    assert [values(result) for result in results] == [{"c": 30}, {"c": 30}, {}]
    assert all(result.error is not None and result.error.kind is ErrorKind.preview for result in results)


@pytest.mark.parametrize("marker", [0xC0, 0xC2], ids=["of 4 gigapixels", "progressive"])
def test_a_picture_that_would_take_hours_or_gigabytes_is_not_decoded(dataset: Dataset, marker: int) -> None:
    data = bytearray(jpeg(30))
    at = data.index(b"\xff\xc0")
    data[at + 1] = marker
    if marker == 0xC0:
        data[at + 5 : at + 9] = struct.pack(">HH", 65535, 65535)
    write_previews(dataset, "v", [("c.0.jpg", bytes(data)), ("c.1.jpg", jpeg(60))])
    (result,) = run(Lightness(), dataset, [item("v", ["c"])])
    assert values(result) == {"c": 60}


def test_a_bad_clip_does_not_take_its_batch_with_it(dataset: Dataset) -> None:
    write_previews(dataset, "v", [(f"{name}.0.jpg", jpeg(30)) for name in ("bad", "c0", "c1")])
    (result,) = run(Lightness(), dataset, [item("v", ["bad", "c0", "c1"])])
    assert values(result) == {"c0": 30, "c1": 30}
    assert result.error is not None
    assert result.error.kind is ErrorKind.corrupt
    assert "a bad clip" in str(result.error)


def test_a_video_without_clips_gives_an_empty_result(dataset: Dataset) -> None:
    scorer = Lightness()
    (result,) = run(scorer, dataset, [item("v", [])])
    assert (result.error, result.rows, scorer.batches) == (None, {"scores/aesthetic": []}, [])


def test_an_embedding_that_is_missing_or_not_finite_is_named_and_others_are_judged(dataset: Dataset) -> None:
    row = {**SHAPE, "clip_id": ""}
    embeddings = {"c0": [0.6, 0.8], "c1": None, "c2": [float("nan"), 1.0], "c3": [0.0, 0.0]}
    clips = [packed({**row, "clip_id": name}, vector, text=name) for name, vector in embeddings.items()]
    scorer = Lightness(needs=("embedding", "text"))
    (result,) = run(scorer, dataset, [VideoClips("v", 4, 0.01, json.dumps(clips), "u")])
    assert list(values(result)) == ["c0"]
    assert result.error is not None
    assert "c1, c2, c3" in str(result.error)
    assert scorer.seen["c0"].text == "c0"
    assert scorer.seen["c0"].embedding == pytest.approx([0.6, 0.8], abs=1e-3)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (float("nan"), None),
        (np.float32("inf"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (None, None),
        (np.array([1.0, 2.0], np.float32), [1.0, 2.0]),
        ([1.0, float("nan")], None),
    ],
)
def test_what_is_stored_is_finite_or_null(value: object, stored: object) -> None:
    assert finite(value) == stored
    assert not isinstance(finite(value), np.generic)


def test_previews_come_back_as_they_were_written(dataset: Dataset) -> None:
    pictures = [("c.0.jpg", b"one"), ("c.1.jpg", b"two")]
    write_previews(dataset, "v", pictures)
    assert list(read_previews(dataset, "v")) == pictures
    assert list(read_previews(dataset, "none")) == []
