"""A thousand clips are captioned on Ray while workers with a model in them are killed."""

from __future__ import annotations

import random
import secrets
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from infra.bench.interrupt import Setting
from infra.bench.processes import Marked, kill, wait_for
from infra.demo.tiny import tiny_film
from pipeline.dataset import Dataset
from schemas.caption import CaptionKind

pytest.importorskip("vllm")
pytestmark = pytest.mark.stress

_NUM_FILMS, _CLIPS_A_FILM, _CLIP_FRAMES = 100, 10, 20
_NUM_KILLS = 3
_RUN_S = 1800.0
_KINDS = (CaptionKind.structured, CaptionKind.dense, CaptionKind.short, CaptionKind.camera)
_OVERRIDES = (
    *("scan.min_clip_s=0.4", "scan.max_clip_s=1.0", "select.preset=null"),
    *("caption.frames.num_frames=2", "caption.frames.max_pixels=3136", "caption.max_tokens=256"),
    *("caption.engine.max_model_len=2048", "caption.engine.max_num_seqs=16", "caption.engine.dtype=float32"),
    # What the tiny model says has no sense and little variety.
    *("caption.checks.min_words=0", "caption.checks.max_repeat_ratio=1", "caption.checks.max_same=100000"),
)


def test_whatever_worker_dies_each_clip_has_its_own_captions_once(tmp_path: Path, terse_captioner: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    num_frames = _CLIPS_A_FILM * _CLIP_FRAMES
    for seed in range(_NUM_FILMS):
        cuts = range(_CLIP_FRAMES, num_frames, _CLIP_FRAMES)
        tiny_film(films / f"{seed:03}.mp4", num_frames=num_frames, cuts=tuple(cuts), seed=seed)
    curated = Setting(
        scratch=tmp_path, inputs=[str(films)], arguments=("--executor", "local", "--until", "bucket", *_OVERRIDES)
    )
    curated.finish("curated")
    for name in ("undisturbed", "disturbed"):
        shutil.copytree(curated.dataset("curated"), tmp_path / name)
    captions = ("--until", "video_caption", f"caption.engine.model={terse_captioner}", *_OVERRIDES)
    whole_s = replace(curated, arguments=("--executor", "local", *captions)).finish("undisturbed")
    own = captions_of(curated.dataset("undisturbed"))
    num_clips = len({clip_id for clip_id, _ in own})
    assert num_clips >= 0.95 * _NUM_FILMS * _CLIPS_A_FILM

    on_ray = replace(curated, arguments=("--executor", "ray", *captions))
    seed = secrets.randbelow(10**6)
    with on_ray.start("disturbed") as run:
        killed = kill_workers(run, random.Random(seed))
        status = run.wait(_RUN_S)
        met_s = run.elapsed_s
    found = captions_of(on_ray.dataset("disturbed"))
    wrong = sum(found[key] != own[key] for key in own.keys() & found.keys())
    print(
        f"captions: {num_clips} clips, undisturbed in {whole_s:.0f} s; {len(killed)} workers killed at "
        f"{', '.join(f'{at_s:.0f}' for at_s in killed)} s (seed {seed}): status {status} after {met_s:.0f} s, "
        f"{len(found)} of {len(own)} captions, {wrong} of another text"
    )
    assert len(killed) == _NUM_KILLS
    assert status == 0, run.output[-3000:]
    assert found.keys() == own.keys()
    assert wrong == 0
    videos = Dataset(on_ray.dataset("disturbed")).manifest.read("video_captions", ["video_id", "outcome"])
    assert Counter(videos["outcome"].to_pylist()) == {"success": _NUM_FILMS}


def captions_of(dataset: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Outcome and text by clip and kind; each kept clip has each kind exactly once."""
    manifest = Dataset(dataset).manifest
    rows = manifest.read("captions", ["clip_id", "kind", "outcome", "text"]).to_pylist()
    selection = manifest.read("selection", ["clip_id", "kept"]).to_pylist()
    keys = Counter((row["clip_id"], row["kind"]) for row in rows)
    assert keys == Counter((row["clip_id"], kind.value) for row in selection if row["kept"] for kind in _KINDS)
    assert {row["outcome"] for row in rows} == {"success"}
    return {(row["clip_id"], row["kind"]): (row["outcome"], row["text"]) for row in rows}


def kill_workers(run: Marked, rng: random.Random) -> list[float]:
    """Kill a worker as soon as it has read frames and some moment more has passed; when, in seconds."""
    killed: dict[int, float] = {}

    def new() -> list[int]:
        return [pid for pid in run.workers() if pid not in killed]

    while len(killed) < _NUM_KILLS:
        wait_for(lambda: new() or run.process.poll() is not None, _RUN_S, every_s=0.1)
        time.sleep(rng.uniform(0.2, 3))
        for pid in new()[:1]:
            if kill(pid):
                killed[pid] = run.elapsed_s
        if run.process.poll() is not None:
            break
    return list(killed.values())
