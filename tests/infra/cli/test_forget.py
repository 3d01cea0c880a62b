from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from infra.cli.main import main
from infra.config import RunConfig
from infra.demo.tiny import tiny_film
from infra.forgetting import forget
from infra.steps import run_steps_of
from pipeline import dag
from pipeline.dataset import Dataset
from pipeline.executor import LocalExecutor
from pipeline.plan import plan_step
from pipeline.previews import read_previews
from pipeline.runner import run_steps
from pipeline.shards import Placed, Sample, ShardStore, read_sample
from schemas import TABLES, load_config

STAGES = ("ingest", "scan")
LATENTS, TEXTS = "latent-000000000000", "text-000000000000"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Two scanned films, and rows and files of all that later stages would make of them."""
    films = tmp_path / "films"
    films.mkdir()
    for number in range(2):
        tiny_film(films / f"film{number}.mp4", seed=number)
        (films / f"film{number}.txt").write_text(f"the secret of film {number}")
    made = Dataset(str(tmp_path / "ds"))
    made.create()
    curate(made)
    made.write_description({}, {})
    add_later_rows(made)
    return made


def curate(dataset: Dataset) -> dict[str, int]:
    """Do the first stages; gives how many units each did."""
    films = Path(dataset.root).parent / "films"
    values = [f"input={json.dumps([str(films)])}", f"dataset={dataset.root}"]
    config = load_config(RunConfig, None, [*values, "scan.min_clip_s=0.5", "scan.max_clip_s=5"])
    steps = [step for step in dag.order(run_steps_of(config)) if step.name in STAGES]
    with dataset.lock():
        report = run_steps(steps, dataset, LocalExecutor(1), "run")
    assert all(plan_step(step, steps, dataset.manifest).num_units == 0 for step in steps)
    return {stage.name: stage.items for stage in report.stages}


def add_later_rows(dataset: Dataset) -> None:
    manifest = dataset.manifest
    clips = sorted(manifest.read("clips", ["clip_id", "video_id"]).to_pylist(), key=lambda row: row["clip_id"])
    for name, table in TABLES.items():
        columns = set(table.schema.names)
        if manifest.count(name) or name in ("tombstones", "samples", "ledger", "files") or "video_id" not in columns:
            continue
        manifest.append(name, [{key: row[key] for key in row.keys() & columns} for row in clips])
    manifest.append("labels", [{"clip_id": row["clip_id"], "reviewer": "me", "good": True} for row in clips])
    other = next(row for row in clips if row["video_id"] != clips[0]["video_id"])
    manifest.replace("duplicates", [{**other, "duplicate_of": clips[0]["clip_id"]}], [other["video_id"]])
    store = ShardStore(dataset.root)
    for shard_set, member in ((LATENTS, "latent.safetensors"), (TEXTS, "text.safetensors")):
        # The first shard is of one film alone.
        for number, some in enumerate(([row for row in clips if row["video_id"] == clips[0]["video_id"]], clips)):
            name = f"{shard_set}/{number:06d}.tar"
            samples = [Sample(row["clip_id"], dict(row), {member: row["clip_id"].encode()}) for row in some]
            placed = store.write(name, samples)
            manifest.append("samples", [sample_row(row, name, one) for row, one in zip(some, placed, strict=True)])
    for row in clips:
        encoded = f"{LATENTS}/{row['video_id'][:2]}/{row['video_id']}/{row['clip_id']}.tar"
        ShardStore(dataset.root, "encoded").write(encoded, [Sample(row["clip_id"], dict(row), {"mp4": b"x"})])


def sample_row(clip: dict[str, Any], shard: str, placed: Placed) -> dict[str, Any]:
    return {
        **clip,
        **{"shard": shard, "shard_set": shard.partition("/")[0], "sample_key": placed.key, "sha256": placed.sha256},
        **{"member_names": placed.names, "member_offsets": placed.offsets, "member_sizes": placed.sizes},
    }


def traces(dataset: Dataset, video_id: str, clip_ids: set[str]) -> list[str]:
    """Where in the dataset's rows and files anything of a video is left."""
    found = []
    for name in dataset.manifest.tables():
        text = json.dumps(dataset.manifest.read(name).to_pylist(), default=str)
        if any(one in text for one in (video_id, *clip_ids)):
            found.append(name)
    for path in Path(dataset.root).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [str(path.relative_to(dataset.root)) for one in (video_id, *clip_ids) if one.encode() in data]
            found += [str(path.relative_to(dataset.root)) for one in (video_id, *clip_ids) if one in str(path)]
    return sorted({name for name in found if not name.startswith(("tombstones", "manifest/tombstones"))})


def secrets(dataset: Dataset) -> set[bytes]:
    """Captions of the films that stand anywhere in the dataset's files, as far as they are not compressed."""
    files = [path.read_bytes() for path in Path(dataset.root).rglob("*") if path.is_file()]
    return {text for text in (b"the secret of film 0", b"the secret of film 1") if any(text in data for data in files)}


def test_nothing_of_a_forgotten_video_is_left(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = dataset.manifest
    assert len(secrets(dataset)) > 1
    first = manifest.read("samples", ["video_id"], where=pc.field("shard") == f"{LATENTS}/000000.tar").to_pylist()[0]
    video_id = first["video_id"]
    mine = pc.field("video_id") == video_id
    clip_ids = set(manifest.read("clips", ["clip_id"], where=mine)["clip_id"].to_pylist())
    uri = manifest.read("files", ["uri"], where=mine)["uri"][0].as_py()
    assert len(traces(dataset, video_id, clip_ids)) > 15
    others = {row["clip_id"] for row in manifest.read("clips").to_pylist()} - clip_ids

    assert main(["forget", dataset.root, uri, "--reason", "consent withdrawn", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["video_id"] == video_id
    assert (told["num_clips"], told["num_shards"]) == (len(clip_ids), 4)
    assert traces(dataset, video_id, clip_ids) == []
    assert len(secrets(dataset)) == 1
    (grave,) = manifest.read("tombstones").to_pylist()
    assert (grave["video_id"], grave["reason"]) == (video_id, "consent withdrawn")

    # The other film is whole, its shards too.
    store = ShardStore(dataset.root)
    assert {row["clip_id"] for row in manifest.read("clips").to_pylist()} == others
    assert store.names(LATENTS) == [f"{LATENTS}/000001.tar"]
    samples = manifest.read("samples").to_pylist()
    assert {row["clip_id"] for row in samples} == others
    for row in samples:
        places = (tuple(row[f"member_{part}"]) for part in ("names", "offsets", "sizes"))
        where = Placed(row["sample_key"], *places, row["sha256"])
        with store.open(row["shard"]) as file:
            assert read_sample(file, where, row["shard"]).key == row["clip_id"]
    rest = manifest.read("videos", ["video_id"])["video_id"].to_pylist()
    assert len(list(read_previews(dataset, rest[0]))) > 0


def test_later_runs_do_not_bring_it_back(dataset: Dataset) -> None:
    manifest = dataset.manifest
    video_id = manifest.read("videos", ["video_id"])["video_id"][0].as_py()
    assert main(["forget", dataset.root, video_id]) == 0
    # The file is met again and not looked at.
    assert curate(dataset) == {"ingest": 1, "scan": 0}
    assert video_id not in manifest.read("videos", ["video_id"])["video_id"].to_pylist()
    assert manifest.read("clips", where=pc.field("video_id") == video_id).num_rows == 0
    assert manifest.read("captions", where=pc.field("video_id") == video_id).num_rows == 0
    assert curate(dataset) == {"ingest": 0, "scan": 0}
    # Nor under another name.
    films = Path(dataset.root).parent / "films"
    for path in list(films.glob("*.mp4")):
        path.rename(path.with_name(f"again_{path.name}"))
    curate(dataset)
    assert video_id not in manifest.read("videos", ["video_id"])["video_id"].to_pylist()


def test_forgetting_again_after_a_stop_does_the_rest(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = dataset.manifest
    video_id = manifest.read("videos", ["video_id"])["video_id"][0].as_py()
    clip_ids = set(manifest.read("clips", ["clip_id"], where=pc.field("video_id") == video_id)["clip_id"].to_pylist())
    stops = ("samples", "labels", "clips", "files", "ledger")
    replace: Callable[..., None] = manifest.replace
    for stop in stops:

        def stopped(table: str, *args: Any, stop: str = stop, **kwargs: Any) -> None:
            if table == stop:
                raise KeyboardInterrupt
            replace(table, *args, **kwargs)

        monkeypatch.setattr(manifest, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            forget(dataset, video_id, "asked for")
    monkeypatch.undo()
    forget(dataset, video_id, "asked for")
    assert traces(dataset, video_id, clip_ids) == []


def test_what_is_not_there_cannot_be_forgotten(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", dataset.root, "nothing.mp4"]) == 2
    assert "there is no video 'nothing.mp4'" in capsys.readouterr().err
    assert main(["forget", f"{dataset.root}/elsewhere", "x"]) == 2
    assert "holds no dataset" in capsys.readouterr().err
