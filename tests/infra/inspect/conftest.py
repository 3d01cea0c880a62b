"""A made dataset: good and hostile files, clips with scores and pictures, shots that gave no clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipeline.dataset import Dataset
from pipeline.previews import write_previews
from schemas import Probe, Span, clip_id, content_id

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}</style>\u202egpj.exe\x1b[2J\n.mp4"
"""A name that tries to be markup, a template, a style's end, a right-to-left trick and a terminal command."""


def probe(width: int, height: int, duration_s: float, codec: str) -> Probe:
    return Probe(
        stream_index=0,
        container="mov,mp4,m4a,3gp,3g2,mj2",
        codec=codec,
        pixel_format="yuv420p",
        width=width,
        height=height,
        coded_width=width,
        coded_height=height,
        rotation_deg=0,
        frame_rate=Fraction(25),
        is_vfr=False,
        is_image=False,
        num_frames=None,
        duration_s=duration_s,
        has_audio=True,
        color_primaries="bt709",
        color_transfer="bt709",
        color_matrix="bt709",
        color_range="limited",
        field_order="progressive",
    )


def picture(rng: np.random.Generator, width: int, height: int, step: int) -> bytes:
    """A soft landscape with something round that moves."""
    state = np.random.default_rng(int(rng.integers(1 << 30)))
    small = state.integers(30, 220, (4, 6, 3)).astype(np.uint8)
    drawn = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.circle(drawn, (width * (step + 1) // 4, height // 2), height // 6, (40, 60, 230), -1, cv2.LINE_AA)
    return bytes(cv2.imencode(".jpg", drawn)[1])


class Maker:
    """Writes a dataset video by video."""

    def __init__(self, root: Path, seed: int = 7) -> None:
        self.dataset = Dataset(str(root))
        self.dataset.create()
        self.dataset.write_description({"scan": {"min_clip_s": 2.0}}, {})
        self.rng = np.random.default_rng(seed)
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.scores: list[dict[str, Any]] = []

    def add(self, table: str, **row: Any) -> None:
        self.rows.setdefault(table, []).append(row)

    def video(
        self,
        uri: str,
        lengths: list[int],
        *,
        width: int = 512,
        height: int = 288,
        codec: str = "h264",
        caption: str | None = None,
        pictures: bool = True,
    ) -> str:
        """A video at 25 frames/s whose shots are so many frames long; below 50 they give no clip.

        Between two shots lie 10 frames of a dissolve.
        """
        video_id = content_id([uri.encode(errors="surrogateescape")])
        total = sum(lengths) + 10 * (len(lengths) - 1)
        described = probe(width * 2, height * 2, total / 25, codec)
        self.add(
            "files",
            uri=uri,
            video_id=video_id,
            num_bytes=total * 9000,
            outcome="ok",
            caption=caption,
            probe=json.dumps(described.to_json()),
        )
        values = described.to_json() | {"frame_rate_num": 25, "frame_rate_den": 1, "num_frames": total}
        del values["frame_rate"], values["sample_aspect"]
        self.add("videos", video_id=video_id, uri=uri, num_bytes=total * 9000, num_bad_packets=0, **values)
        self.add("ledger", unit_key=f"scan-{video_id}", stage="scan", input_id=video_id, outcome="ok")
        first, shown = 0, []
        for index, length in enumerate(lengths):
            last = first + length
            ends = {
                "transition_in": "dissolve" if index else "edge",
                "transition_out": "dissolve" if index + 1 < len(lengths) else "edge",
                "start_pts": first * 512,
                "end_pts": last * 512,
                "time_base_num": 1,
                "time_base_den": 12800,
                "start_frame": first,
                "end_frame": last,
            }
            self.add("shots", video_id=video_id, shot_index=index, detector="default", **ends)
            if length >= 50:
                made = clip_id(video_id, Span(first * 512, last * 512, Fraction(1, 12800)))
                size = {"width": width * 2, "height": height * 2}
                self.add(
                    "clips",
                    clip_id=made,
                    video_id=video_id,
                    shot_index=index,
                    start_s=first / 25,
                    end_s=last / 25,
                    num_frames=length,
                    crop_x=0,
                    crop_y=0,
                    crop_width=width * 2,
                    crop_height=height * 2,
                    **size,
                    **ends,
                )
                self.score(made, video_id)
                if caption is not None:
                    self.add(
                        "captions",
                        clip_id=made,
                        video_id=video_id,
                        kind="original",
                        caption_set="original",
                        text=caption,
                        outcome="success",
                    )
                if pictures:
                    shown += [(f"{made}.{k}.jpg", picture(self.rng, width, height, k)) for k in range(3)]
            first = last + 10
        write_previews(self.dataset, video_id, shown)
        return video_id

    def score(self, clip: str, video_id: str) -> None:
        bright, skewed = float(self.rng.beta(4, 3)), float(self.rng.lognormal(-3, 1.6))
        self.scores.append(
            {
                "clip_id": clip,
                "video_id": video_id,
                "t_bright": bright if bright > 0.2 else None,
                "t_skewed": 0.0 if self.rng.random() < 0.2 else skewed,
                "t_constant": 1.0,
                "t_count": int(self.rng.integers(0, 6)),
                "t_rare": 0.0 if self.rng.random() < 0.97 else 1.0,
            }
        )

    def write(self) -> Dataset:
        for table, rows in self.rows.items():
            self.dataset.manifest.append(table, rows)
        if self.scores:
            # Columns of our own, whatever scores the scan may have today.
            kinds = {"t_bright": pa.float64(), "t_skewed": pa.float64(), "t_constant": pa.float64()}
            kinds |= {"t_count": pa.int64(), "t_rare": pa.float64()}
            fields = [("clip_id", pa.string()), ("video_id", pa.string()), *kinds.items()]
            data = pa.Table.from_pylist(self.scores, schema=pa.schema(fields))
            write_deltalake(self.dataset.manifest.uri("scores/scan"), data)
        return self.dataset


def fill(maker: Maker) -> Dataset:
    """Four good videos (one of them twice), a hostile name, three files that fail, two that are ignored."""
    maker.video("/footage/river.mp4", [100, 60, 40])
    portrait = maker.video("/footage/portrait.mov", [250], width=288, height=512, codec="hevc")
    maker.video("/footage/short.webm", [30, 20], codec="vp9")
    maker.video(f"/footage/{HOSTILE}", [75], caption=f"A {HOSTILE} caption", pictures=False)
    copy = dict(next(row for row in maker.rows["files"] if row["video_id"] == portrait))
    maker.add("files", **copy | {"uri": "/footage/portrait copy.mov"})
    maker.add("files", uri="/footage/empty.mp4", num_bytes=0, outcome="error", error_kind="empty", error="no bytes")
    broken = f"moov atom in {HOSTILE}"
    maker.add("files", uri="/footage/broken.mp4", num_bytes=10, outcome="error", error_kind="corrupt", error=broken)
    for name in ("notes.txt", "LICENSE"):
        maker.add("files", uri=f"/footage/{name}", num_bytes=5, outcome="ignored")
    failed = maker.video("/footage/hangs.mp4", [200])
    for table in ("shots", "clips"):
        maker.rows[table] = [row for row in maker.rows[table] if row["video_id"] != failed]
    maker.scores = [row for row in maker.scores if row["video_id"] != failed]
    maker.rows["ledger"][-1] |= {"outcome": "error", "error_kind": "timeout", "error": "no frame for 20 s"}
    maker.rows["videos"][-1] |= {"num_frames": None}
    return maker.write()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The made dataset; only to be read."""
    return fill(Maker(tmp_path_factory.mktemp("inspect") / "ds"))


@pytest.fixture
def empty_dataset(tmp_path: Path) -> Dataset:
    """A dataset in which nothing was written yet."""
    return Maker(tmp_path / "nothing").dataset


@pytest.fixture
def maker(tmp_path: Path) -> Callable[[], Maker]:
    return lambda: Maker(tmp_path / "made")


@pytest.fixture
def hostile() -> str:
    return HOSTILE


RULES = {
    "bright": "t_bright IS NULL OR t_bright >= 0.45",
    "skewed": "t_skewed <= 0.05 AND t_count >= 1",
    HOSTILE: "NOT (num_frames < 60)",
    "landscape": "width > height AND abs(width) > 0",
}
"""By the reason they record; the last one uses a function, which a page cannot apply anew."""


def _broken_rule(row: dict[str, Any]) -> str | None:
    """What the selection would record, worked out without SQL."""
    bright, skewed = row["t_bright"], row["t_skewed"]
    if bright is not None and bright < 0.45:
        return "bright"
    if skewed > 0.05 or row["t_count"] < 1:
        return "skewed"
    if row["num_frames"] < 60:
        return HOSTILE
    return None if row["width"] > row["height"] else "landscape"


def fill_selected(maker: Maker, *, num_videos: int = 30) -> Dataset:
    """Many clips with a selection by `RULES`, hostile texts, duplicates, buckets and labels."""
    for k in range(num_videos):
        portrait = {"width": 288, "height": 512} if k % 7 == 3 else {}
        maker.video(f"/footage/{k}.mp4", [50 + 4 * (k % 9), 100], pictures=k % 3 == 0, **portrait)
    maker.video(f"/footage/{HOSTILE}", [75], caption=f"A {HOSTILE} \u2028 <!-- </script> caption {'x' * 10**6}")
    scores = {row["clip_id"]: row for row in maker.scores}
    clips = sorted(maker.rows["clips"], key=lambda row: row["clip_id"])
    ids = [{"clip_id": row["clip_id"], "video_id": row["video_id"]} for row in clips]
    for k, clip in enumerate(clips):
        reason = _broken_rule(clip | scores[clip["clip_id"]])
        maker.add("selection", **ids[k], kept=reason is None, reason=reason, rule_digest="0" * 32)
        if reason is None:
            size = {"frames": clip["num_frames"] // 4 * 4 + 1, "height": 560, "width": 1008, "num_tokens": 99}
            maker.add("buckets", **ids[k], **size, frame_rate_num=25, frame_rate_den=1, frame_step=1)
    stays = clips[0]["clip_id"]
    maker.add("duplicates", **ids[1], duplicate_of=stays, method="perceptual", similarity=0.97, offset_s=1.5)
    for k in range(6):
        note = HOSTILE if k == 0 else None
        maker.add("labels", clip_id=clips[k]["clip_id"], reviewer=f"{HOSTILE}{k}", good=k % 2 == 0, note=note)
    maker.dataset.write_description({"scan": {"min_clip_s": 2.0}, "select": {"rules": RULES}}, {})
    return maker.write()


@pytest.fixture(scope="session")
def selected(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset after its selection; only to be read."""
    return fill_selected(Maker(tmp_path_factory.mktemp("selected") / "ds"))


@pytest.fixture
def rules() -> dict[str, str]:
    return dict(RULES)
