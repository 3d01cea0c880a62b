"""From bucketed clips to shards, through the steps as a run has them, in this process."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from infra.config import RunConfig
from infra.demo.tiny import tiny_film
from infra.steps import run_steps_of
from infra.training_steps import encode_step
from pipeline import dag
from pipeline.buckets.assign import bucket_of
from pipeline.dag import InputStep
from pipeline.dataset import Dataset
from pipeline.executor import LocalExecutor
from pipeline.media import MediaLimits
from pipeline.media.container import open_container, quiet, select_stream
from pipeline.media.decode import Decoding
from pipeline.media.probe import probe
from pipeline.plan import plan_step
from pipeline.runner import run_steps
from pipeline.shards import Placed, ShardStore, read_sample, read_shard
from schemas import ConfigError, content_id, load_config
from trainer.autoencoder import AutoencoderConfig, find_autoencoder, load
from trainer.shard_sets import find_pair, set_pairs
from trainer.tensors import read_tensor_bytes

NUM_FILMS = 2
CLIPS_A_FILM = 3


@pytest.fixture(scope="session")
def tiny_vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An autoencoder of Wan's class with a stride of 4, 16, 16 that has learnt nothing."""
    import pipeline.media.torchvision_cpu  # noqa: F401  # isort: skip
    from diffusers import AutoencoderKLWan

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AutoencoderKLWan(
            base_dim=4,
            z_dim=4,
            dim_mult=[1, 1, 2, 2],
            num_res_blocks=1,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            latents_mean=[0.1, 0.2, 0.3, 0.4],
            latents_std=[0.5, 0.5, 2.0, 1.0],
        )
    folder = tmp_path_factory.mktemp("tiny_vae")
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bucketed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset up to its buckets, with captions of two films; nothing in it is written by the stages under test."""
    quiet()
    root = tmp_path_factory.mktemp("bucketed") / "ds"
    dataset = Dataset(str(root))
    dataset.create()
    config = RunConfig()
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("files", "videos", "clips", "buckets", "captions", "wide")
    }
    for number in range(NUM_FILMS):
        path = root.parent / f"film{number}.mp4"
        # The second one fast and letterboxed.
        tiny_film(path, fps=25 * (1 + number), border=(0, 10 * number), seed=number)
        for name, made in tables_of(path, number, config).items():
            rows[name] += made
    for name, made in rows.items():
        dataset.manifest.append(name, made)
    return root


def tables_of(path: Path, number: int, config: RunConfig) -> dict[str, list[dict[str, Any]]]:
    """What the stages up to `bucket` would say of a tiny film, one clip a shot."""
    with open_container(path) as container:
        probed = probe(container)
    with open_container(path) as container:
        decoding = Decoding(container, select_stream(container, 0, MediaLimits()), MediaLimits())
        times = [frame.pts for frame in decoding]
    ends = [*times, 2 * times[-1] - times[-2]]
    base = decoding.time_base
    video_id = content_id([path.read_bytes()])
    uri = str(path)
    files = [{"uri": uri, "video_id": video_id, "outcome": "ok", "probe": json.dumps(probed.to_json())}]
    videos = [{"video_id": video_id, "uri": uri, "num_repaired_pts": 0}]
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in ("clips", "buckets", "captions", "wide")}
    grid = config.bucket.model_copy(update={"vae_stride": (4, 16, 16), "patch": (1, 1, 1), "token_budget": 60}).grid()
    for k in range(CLIPS_A_FILM):
        clip_id = hashlib.md5(f"{number}/{k}".encode()).hexdigest()
        ids = {"clip_id": clip_id, "video_id": video_id}
        start, end = ends[20 * k], ends[20 * (k + 1)]
        crop = (0, 10 * number, 192, 108 - 20 * number)
        made["clips"].append(
            {
                **ids,
                **{"start_pts": start, "end_pts": end, "num_frames": 20},
                **{"time_base_num": base.numerator, "time_base_den": base.denominator},
                **dict(zip(("crop_x", "crop_y", "crop_width", "crop_height"), crop, strict=True)),
            }
        )
        bucket = bucket_of(crop[2], crop[3], 20, (end - start) * Fraction(base), grid)
        made["buckets"].append(
            {
                **ids,
                **{"frames": bucket.frames, "height": bucket.height, "width": bucket.width},
                **{"frame_rate_num": bucket.frame_rate.numerator, "frame_rate_den": bucket.frame_rate.denominator},
                "frame_step": bucket.frame_step,
                "num_tokens": bucket.num_tokens((4, 16, 16), (1, 1, 1)),
            }
        )
        made["wide"].append({**ids, "motion_mean": 0.125 * k, "transition_in": "cut"})
        texts = {"original": f"film {number} shot {k}", "dense": f"A red circle in shot {k}.", "short": "A circle."}
        # One clip has no caption at all, and one only what came with it.
        for kind, text in list(texts.items())[: {0: 3, 1: 1, 2: 0}[k]]:
            made["captions"].append(
                {
                    **ids,
                    **{"kind": kind, "text": text, "outcome": "success"},
                    "caption_set": "original" if kind == "original" else "set1",
                }
            )
    return {"files": files, "videos": videos, **made}


Ran = Callable[..., dict[str, Any]]


@pytest.fixture
def dataset(bucketed: Path, tmp_path: Path) -> Path:
    """A copy, to write to."""
    shutil.copytree(bucketed, tmp_path / "ds")
    return tmp_path / "ds"


@pytest.fixture
def run(tiny_vae: Path, tiny_clip: Path) -> Ran:
    """Do the two steps; gives what each did: items, errors."""

    def do(root: Path | str, *overrides: str, retry: bool = False) -> dict[str, Any]:
        config = config_of(root, tiny_vae, tiny_clip, *overrides)
        steps = steps_of(config)
        place = Dataset(str(root))
        with place.lock():
            report = run_steps(steps, place, LocalExecutor(1), "run", retry_errors=retry)
        return {stage.name: (stage.items, dict(stage.errors)) for stage in report.stages}

    return do


def config_of(root: Path | str, vae: Path, clip: Path, *overrides: str) -> RunConfig:
    values = [
        f"dataset={root}",
        f"encode.autoencoder.model={vae}",
        f"shard.text_encoder.model={clip.parent}",
        "bucket={vae_stride: [4, 16, 16], patch: [1, 1, 1], token_budget: 60, min_side: 1}",
        "scan.max_clip_s=1.5",
        "scan.min_clip_s=0.5",
    ]
    return load_config(RunConfig, None, [*values, *overrides])


def steps_of(config: RunConfig) -> Sequence[dag.Step]:
    return [step for step in dag.order(run_steps_of(config)) if step.name in ("encode", "shard")]


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.tar"))}


def rows(root: Path | str, table: str, **equal: str) -> list[dict[str, Any]]:
    where = None
    for name, value in equal.items():
        where = pc.field(name) == value
    return Dataset(str(root)).manifest.read(table, where=where).sort_by("clip_id").to_pylist()


def test_clips_become_shards_that_plain_readers_and_ours_agree_on(dataset: Path, run: Ran, tiny_vae: Path) -> None:
    done = run(dataset)
    assert done["encode"] == (NUM_FILMS, {})
    assert done["shard"] == (2, {})
    pair = find_pair(Dataset(str(dataset)).manifest)
    store = ShardStore(str(dataset))
    latents = list(store.read(f"{pair.latent_set}/000000.tar"))
    texts = list(store.read(f"{pair.text_set}/000000.tar"))
    assert [one.key for one in latents] == [one.key for one in texts] == sorted(one.key for one in latents)
    assert len(latents) == NUM_FILMS * CLIPS_A_FILM
    found = {row["clip_id"]: row for row in rows(dataset, "samples", shard_set=pair.latent_set)}
    told = {row["clip_id"]: row for row in rows(dataset, "samples", shard_set=pair.text_set)}
    buckets = {row["clip_id"]: row for row in rows(dataset, "buckets")}
    motions = {row["clip_id"]: row["motion_mean"] for row in rows(dataset, "wide")}
    digest = find_autoencoder(AutoencoderConfig(model=str(tiny_vae))).digest
    for latent, text in zip(latents, texts, strict=True):
        row, bucket = found[latent.key], buckets[latent.key]
        tensor = read_tensor_bytes(latent.members["latent.safetensors"], "")["latent"]
        shape = (4, (bucket["frames"] - 1) // 4 + 1, bucket["height"] // 16, bucket["width"] // 16)
        assert tuple(tensor.shape) == shape
        assert tensor.dtype == torch.float16
        assert tuple(row[f"latent_{name}"] for name in ("channels", "frames", "height", "width")) == shape
        assert (row["num_tokens"], row["frames"]) == (bucket["num_tokens"], bucket["frames"])
        assert row["autoencoder_digest"] == latent.about["digests"]["autoencoder"] == digest
        assert latent.about["scores"] == {"motion_mean": motions[latent.key]}
        assert len(latent.about["times_s"]) == bucket["frames"]
        assert str(dataset) not in json.dumps(latent.about)
        vectors = read_tensor_bytes(text.members["text.safetensors"], "")
        kinds = told[text.key]["caption_kinds"]
        assert sorted(vectors) == sorted(kinds) == sorted(text.about["captions"])
        assert [len(vectors[kind]) for kind in kinds] == told[text.key]["num_text_tokens"]
        assert told[text.key]["latent_set"] == pair.latent_set
        for name, one in ((row["shard"], row), (told[text.key]["shard"], told[text.key])):
            places = (tuple(one[f"member_{part}"]) for part in ("names", "offsets", "sizes"))
            where = Placed(one["clip_id"], *places, one["sha256"])
            with store.open(name) as file:
                assert read_sample(file, where, name) in (latent, text)
    assert sorted(len(row["caption_kinds"]) for row in told.values()) == [0, 0, 1, 1, 3, 3]


def test_a_latent_is_of_the_frames_of_its_clip(dataset: Path, run: Ran, tiny_vae: Path) -> None:
    run(dataset)
    model = load(find_autoencoder(AutoencoderConfig(model=str(tiny_vae))))
    pair = find_pair(Dataset(str(dataset)).manifest)
    for sample in ShardStore(str(dataset)).read(f"{pair.latent_set}/000000.tar"):
        about = sample.about
        uri = next(row["uri"] for row in rows_of_files(dataset) if row["video_id"] == about["video_id"])
        latent = read_tensor_bytes(sample.members["latent.safetensors"], "")["latent"].float()
        # Colours and areas are rounded each in their own way, which is far less than one frame makes.
        right, late = (model.encode(frames_by_hand(Path(uri), about, first)) for first in (0, 1))
        error = float((latent - right).abs().mean())
        assert error < 0.1 * float(right.std())
        assert error < 0.5 * float((latent - late).abs().mean())


def rows_of_files(root: Path) -> list[dict[str, Any]]:
    return Dataset(str(root)).manifest.read("files", ["uri", "video_id"]).to_pylist()


def frames_by_hand(path: Path, about: dict[str, Any], first: int = 0) -> torch.Tensor:
    """The frames of a clip as PyAV and Pillow give them, float32 (3, F, H, W) in [-1, 1]."""
    import av
    from PIL import Image

    span, bucket = about["span"], about["bucket"]
    x, y, wide, high = about["crop"]
    with av.open(str(path)) as container:
        frames = [
            frame.to_ndarray(format="rgb24")
            for frame in container.decode(video=0)
            if span["start_pts"] <= frame.pts < span["end_pts"]
        ]
    frames = frames[first :: bucket["frame_step"]][: bucket["frames"]]
    # Of a clip with no frame to spare the last one stands for the one after it.
    frames += frames[-1:] * (bucket["frames"] - len(frames))
    scale = max(bucket["height"] / high, bucket["width"] / wide)
    size = max(bucket["width"], round(wide * scale)), max(bucket["height"], round(high * scale))
    left, top = (size[0] - bucket["width"]) // 2, (size[1] - bucket["height"]) // 2
    made = []
    for frame in frames:
        picture = Image.fromarray(frame[y : y + high, x : x + wide]).resize(size, Image.Resampling.BOX)
        made.append(np.asarray(picture)[top : top + bucket["height"], left : left + bucket["width"]])
    return torch.from_numpy(np.stack(made).astype(np.float32)).permute(3, 0, 1, 2) / 127.5 - 1


def test_two_runs_give_the_same_bytes_and_a_second_run_does_nothing(
    bucketed: Path, dataset: Path, tmp_path: Path, run: Ran
) -> None:
    run(dataset)
    shutil.copytree(bucketed, tmp_path / "other")
    run(tmp_path / "other")
    assert files_below(dataset) == files_below(tmp_path / "other")
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*.tar")}
    assert run(dataset) == {"encode": (0, {}), "shard": (0, {})}
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob("*.tar")} == before


def test_new_captions_write_texts_and_leave_latents(dataset: Path, run: Ran) -> None:
    run(dataset)
    pair = find_pair(Dataset(str(dataset)).manifest)
    latents = files_below(dataset / "shards" / pair.latent_set)
    texts = files_below(dataset / "shards" / pair.text_set)
    manifest = Dataset(str(dataset)).manifest
    captions = manifest.read("captions").to_pylist()
    captions[0]["text"] = "something else"
    manifest.overwrite("captions", manifest.read("captions").slice(0, 0).from_pylist(captions))
    assert run(dataset)["shard"] == (1, {})
    assert files_below(dataset / "shards" / pair.latent_set) == latents
    assert files_below(dataset / "shards" / pair.text_set) != texts


def test_captions_of_another_set_stand_beside_the_first(dataset: Path, run: Ran) -> None:
    run(dataset)
    manifest = Dataset(str(dataset)).manifest
    again = [
        {**row, "caption_set": "set2"} for row in manifest.read("captions").to_pylist() if row["kind"] != "original"
    ]
    manifest.append("captions", again)
    with pytest.raises(ConfigError, match=r"shard.caption_set: there are captions of 2 sets, name one: set1, set2"):
        run(dataset)
    assert run(dataset, "shard.caption_set=set2")["shard"] == (1, {})
    pairs = set_pairs(manifest)
    assert len({pair.latent_set for pair in pairs}) == 1
    assert len(pairs) == 2
    with pytest.raises(ConfigError, match="has several sets of shards, name one"):
        find_pair(manifest)
    assert find_pair(manifest, pairs[1].text_set) == pairs[1]
    with pytest.raises(ConfigError, match="has no set 'text-x'"):
        find_pair(manifest, "text-x")


def test_a_stop_within_a_video_costs_one_clip(dataset: Path, run: Ran) -> None:
    run(dataset)
    encoded = sorted((dataset / "encoded").rglob("*.tar"))
    assert len(encoded) == NUM_FILMS * CLIPS_A_FILM
    times = {path: path.stat().st_mtime_ns for path in encoded}
    whole = files_below(dataset)
    # One latent was never written, one is spoilt, and nothing of the video stands in the ledger.
    gone, spoilt = encoded[0], encoded[1]
    gone.unlink()
    spoilt.write_bytes(spoilt.read_bytes()[:-700])
    manifest = Dataset(str(dataset)).manifest
    manifest.overwrite("ledger", manifest.read("ledger").slice(0, 0))
    assert run(dataset) == {"encode": (NUM_FILMS, {}), "shard": (2, {})}
    assert files_below(dataset) == whole
    touched = {path for path in encoded if path.stat().st_mtime_ns != times[path]}
    assert touched == {gone, spoilt}


def test_a_lost_latent_is_an_error_of_its_shard_and_not_of_the_run(dataset: Path, run: Ran) -> None:
    run(dataset)
    whole = files_below(dataset)
    next(iter((dataset / "encoded").rglob("*.tar"))).unlink()
    manifest = Dataset(str(dataset)).manifest
    manifest.replace("ledger", [], [row["shard"] for row in rows(dataset, "samples")], among=("stage", "shard"))
    assert run(dataset)["shard"] == (2, {"io": 1})
    errors = [row["error"] for row in manifest.read("ledger").to_pylist() if row["error"]]
    assert len(errors) == 1
    assert "the next run makes it again" in errors[0]
    # It does: one video, of which one clip is missing, and the shard.
    assert run(dataset) == {"encode": (1, {}), "shard": (1, {})}
    assert files_below(dataset) == whole


def test_clips_that_are_kept_no_longer_leave_the_shards(dataset: Path, run: Ran) -> None:
    run(dataset, "shard.target_mib=1")
    manifest = Dataset(str(dataset)).manifest
    kept = manifest.read("buckets").sort_by("clip_id").slice(1)
    dropped = manifest.read("buckets").sort_by("clip_id")["clip_id"][0].as_py()
    manifest.overwrite("buckets", kept)
    assert run(dataset)["shard"] == (2, {})
    assert dropped not in {row["clip_id"] for row in rows(dataset, "samples")}
    assert not list((dataset / "encoded").rglob(f"{dropped}.tar"))
    manifest.overwrite("buckets", kept.slice(0, 0))
    run(dataset)
    assert rows(dataset, "samples") == []
    assert files_below(dataset) == {}
    # And they come back as they were.
    assert [row for row in manifest.read("ledger").to_pylist() if row["stage"] == "shard"] == []


def test_another_autoencoder_makes_another_set_beside_the_first(dataset: Path, run: Ran) -> None:
    run(dataset)
    run(dataset, "encode.dtype=bfloat16", "encode.media_crf=40")
    manifest = Dataset(str(dataset)).manifest
    names = {tuple(row["member_names"]) for row in rows(dataset, "samples")}
    assert names == {
        ("json", "latent.safetensors"),
        ("json", "latent.safetensors", "mp4"),
        ("json", "text.safetensors"),
    }
    assert len({pair.latent_set for pair in set_pairs(manifest)}) == 2
    assert manifest.count("latents") == 2 * NUM_FILMS * CLIPS_A_FILM


def test_a_film_that_is_gone_costs_its_clips_alone(dataset: Path, run: Ran, tmp_path: Path) -> None:
    manifest = Dataset(str(dataset)).manifest
    video = manifest.read("videos").to_pylist()[0]
    for table in ("videos", "files"):
        found = manifest.read(table).to_pylist()
        for row in found:
            row["uri"] = f"{row['uri']}.gone" if row["video_id"] == video["video_id"] else row["uri"]
        manifest.overwrite(table, manifest.read(table).from_pylist(found, schema=manifest.read(table).schema))
    assert run(dataset) == {"encode": (NUM_FILMS, {"io": 1}), "shard": (2, {})}
    assert len(rows(dataset, "latents")) == CLIPS_A_FILM


def test_the_plan_says_what_is_not_configured(dataset: Path, tiny_vae: Path, tiny_clip: Path) -> None:
    config = load_config(RunConfig, None, [f"dataset={dataset}"])
    assert {step.name: step.missing for step in steps_of(config)} == {
        "encode": "needs encode.autoencoder.model",
        "shard": "needs shard.text_encoder.model",
    }
    steps = steps_of(config_of(dataset, tiny_vae, tiny_clip))
    plans = [plan_step(step, steps, Dataset(str(dataset)).manifest) for step in steps]
    assert [plan.num_todo for plan in plans] == [NUM_FILMS, 0]


def test_buckets_must_lie_on_the_autoencoder_s_grid(dataset: Path, tiny_vae: Path, tiny_clip: Path) -> None:
    config = config_of(dataset, tiny_vae, tiny_clip, "bucket.vae_stride=[4, 8, 8]")
    with pytest.raises(ConfigError, match=r"bucket.vae_stride is \[4, 8, 8\], and .* compresses by \[4, 16, 16\]"):
        encode_step(config, MediaLimits())


def test_shards_are_written_to_an_object_store_too(bucketed: Path, s3: Any, run: Ran) -> None:
    for path in bucketed.rglob("*"):
        if path.is_file():
            s3.put(f"ds/{path.relative_to(bucketed)}", path.read_bytes())
    url = f"{s3.url}/ds"
    assert run(url) == {"encode": (NUM_FILMS, {}), "shard": (2, {})}
    pair = find_pair(Dataset(url).manifest)
    with ShardStore(url).open(f"{pair.text_set}/000000.tar") as file:
        assert len(list(read_shard(file, "s"))) == NUM_FILMS * CLIPS_A_FILM
    assert run(url) == {"encode": (0, {}), "shard": (0, {})}


def test_the_steps_survive_the_way_to_a_worker(dataset: Path, tiny_vae: Path, tiny_clip: Path) -> None:
    import cloudpickle

    for step in steps_of(config_of(dataset, tiny_vae, tiny_clip)):
        assert isinstance(step, InputStep)
        assert cloudpickle.loads(cloudpickle.dumps(step.stage)).name == step.name
        assert replace(step).writes == step.writes
