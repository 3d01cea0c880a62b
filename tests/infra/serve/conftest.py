"""A small dataset that may be labelled, and the server on it, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.dataset import Dataset
from pipeline.previews import write_previews

VIDEO = "ab" * 16
EVIL = '</script><script>window.harmed=1</script>"\'`<a href="javascript:harmed=1">{{7*7}}\u202e\u2066\x1b[2J'
"""Markup, a script's end, quotes, a link that is script, a template, and characters that turn or move text."""
HOSTILE = "<img src=x onerror=alert(1)>\u2028</script>"


def clip_name(k: int) -> str:
    return f"{k:x}" * 32


def fill(folder: Path) -> Dataset:
    """Eight clips of one video: the odd ones dropped for being dark."""
    made = Dataset(str(folder / "ds"))
    made.create()
    rules = {"dark": "luma_mean >= 0.5"}
    made.write_description({"select": {"rules": rules}}, {})
    add = made.manifest.append
    add("files", [{"uri": f"/f/{HOSTILE}.mp4", "video_id": VIDEO, "outcome": "ok", "num_bytes": 5}])
    add("videos", [{"video_id": VIDEO, "uri": f"/f/{HOSTILE}.mp4", "width": 64, "height": 36, "is_image": False}])
    ids = [{"clip_id": clip_name(k), "video_id": VIDEO} for k in range(8)]
    size = {"width": 64, "height": 36, "num_frames": 50, "shot_index": 0}
    add("clips", [some | size | {"start_s": 2.0 * k, "end_s": 2.0 * k + 2} for k, some in enumerate(ids)])
    add("scores/scan", [some | {"luma_mean": 0.6 - 0.01 * k if k % 2 == 0 else 0.1} for k, some in enumerate(ids)])
    add("selection", [some | {"kept": k % 2 == 0, "reason": "dark" if k % 2 else None} for k, some in enumerate(ids)])
    grey = bytes(cv2.imencode(".jpg", np.full((36, 64, 3), 90, np.uint8))[1])
    write_previews(made, VIDEO, [(f"{clip_name(k)}.0.jpg", grey) for k in range(8)])
    return made


def fill_hostile(folder: Path) -> Dataset:
    """The same, with hostile text wherever the tables hold text from outside."""
    made = fill(folder)
    made.write_description({"select": {"rules": {EVIL: "luma_mean >= 0.5"}}}, {})
    clips = made.manifest.read("clips").to_pylist()
    ids = [{"clip_id": row["clip_id"], "video_id": VIDEO} for row in clips]
    add = made.manifest.append
    add("files", [{"uri": f"/f/{EVIL}", "outcome": "error", "error_kind": EVIL, "error": EVIL}])
    licence = {"license": EVIL, "source_url": "javascript:window.harmed=1", "title": EVIL}
    add("files", [{"uri": f"/f/again {EVIL}", "video_id": VIDEO, "outcome": "ok"} | licence])
    made.manifest.replace("selection", [some | {"kept": False, "reason": EVIL} for some in ids], [VIDEO])
    caption = {"kind": EVIL, "caption_set": EVIL, "outcome": EVIL, "model_id": EVIL, "flags": [EVIL]}
    add("captions", [ids[0] | caption | {"text": EVIL + "x" * 10**6}, ids[1] | caption | {"text": None}])
    add("labels", [{"clip_id": ids[k]["clip_id"], "reviewer": EVIL, "good": False, "note": EVIL} for k in (0, 1)])
    add("duplicates", [ids[1] | {"duplicate_of": ids[0]["clip_id"], "method": EVIL, "similarity": 0.5}])
    add("buckets", [some | {"frames": 1, "height": 16, "width": 16, "frame_step": 1, "num_tokens": 1} for some in ids])
    return made


@dataclass
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """End it as Ctrl-C does; give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(2)
        return self.process.wait(30)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A small dataset that may be changed."""
    return fill(tmp_path)


@pytest.fixture
def hostile_dataset(tmp_path: Path) -> Dataset:
    """A dataset in which every text from outside is hostile."""
    return fill_hostile(tmp_path / "hostile")


@pytest.fixture(scope="session")
def make_dataset() -> Callable[[Path], Dataset]:
    return fill


_SERVER = """
import json, sys
from infra.serve import serve
from pipeline.dataset import Dataset
def say(url):
    print(json.dumps({"url": url}), flush=True)
serve(Dataset(sys.argv[1]), host="127.0.0.1", port=0, reviewer="ana", say=say)
"""


@pytest.fixture(scope="module")
def start_server() -> Iterator[Callable[..., Served]]:
    """Start a server on a free port; ended with the tests of a file."""
    started: list[Served] = []

    def start(dataset: Dataset, *command: str) -> Served:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *(command or ("-c", _SERVER, dataset.root))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        started.append(Served("", process))
        said = process.stdout.readline()
        assert said, "the server ended at once; its own words are above"
        started[-1].url = json.loads(said)["url"]
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.process.wait(30)
        if served.process.stdout is not None:
            served.process.stdout.close()
