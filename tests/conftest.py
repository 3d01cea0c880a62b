"""Fixtures that several tests share: servers that speak HTTP, and real footage where it is at hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest

# Ray reads it when it is first imported, which in one process with all tests vLLM does before our executor can set it.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
# Without a network the hub's client tries for half a minute before it gives up.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

FOOTAGE = Path(__file__).parents[2] / "shared" / "footage"


@pytest.fixture(scope="session")
def shared_footage() -> Path:
    """The folder of real footage beside the repository; it is no part of it."""
    if not FOOTAGE.is_dir():
        pytest.skip(f"there is no real footage at {FOOTAGE}")
    return FOOTAGE


@dataclass(frozen=True)
class S3:
    """A bucket on an S3 server of these tests."""

    endpoint: str
    bucket: str
    client: Any
    """A boto3 client."""

    @property
    def url(self) -> str:
        """The bucket, as `s3://…`."""
        return f"s3://{self.bucket}"

    def put(self, key: str, data: bytes) -> str:
        """Store an object; give its URL."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)
        return f"{self.url}/{key}"

    def get(self, key: str) -> bytes:
        """The bytes of an object."""
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body


@pytest.fixture(scope="session")
def _s3_endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # In a process of its own: vLLM, which looks at every variable of every module, stumbles over Flask's.
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        until = time.monotonic() + 60
        while not _answers(port):
            assert server.poll() is None, f"moto's server ended with status {server.returncode}"
            assert time.monotonic() < until, "moto's server does not answer"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def s3(_s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An empty bucket on a real HTTP server, which the environment variables of AWS point to."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", _s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client("s3")
    bucket = f"bucket-{uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    yield S3(_s3_endpoint, bucket, client)
    client.close()
    # fsspec keeps file systems, and with them the endpoint.
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@dataclass(frozen=True)
class Web:
    """A web server without range requests, as many are."""

    url: str
    folder: Path

    def put(self, name: str, data: bytes) -> str:
        """Serve a file; give its URL."""
        (self.folder / name).write_bytes(data)
        return f"{self.url}/{name}"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing of their own."""


@pytest.fixture
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A real web server on this machine."""
    folder = tmp_path_factory.mktemp("web")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Web(f"http://127.0.0.1:{server.server_port}", folder)
    server.shutdown()
    thread.join()
    server.server_close()


TINY_CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32},
    "text_cfg": {"context_length": 32, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def captioned_dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset of 48 clips of the miniature world, two preview pictures each, with their captions."""
    import cv2

    from infra.demo.captioned import draw_captioned
    from infra.demo.render import render_shot
    from pipeline.dataset import Dataset
    from pipeline.previews import write_previews

    dataset = Dataset(str(tmp_path_factory.mktemp("captioned")))
    dataset.create()
    dataset.write_description({}, {})
    rows = []
    for seed in range(48):
        scene, size, text = draw_captioned(seed)
        clip_id, video_id = f"{seed:032x}", f"{seed + 1000:064x}"
        pictures = render_shot(scene, (size[0] // 2, size[1] // 2), [0.2, 1.6])
        jpegs = [cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes() for picture in pictures]
        write_previews(dataset, video_id, [(f"{clip_id}.{k}.jpg", jpeg) for k, jpeg in enumerate(jpegs)])
        keys = {"clip_id": clip_id, "video_id": video_id, "kind": "original", "caption_set": "original"}
        rows.append({**keys, "text": text, "outcome": "success"})
    dataset.manifest.append("captions", rows)
    return dataset.root


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a CLIP of 24 numbers that has learnt nothing, its description beside them."""

    import torch

    from pipeline.clip.model import build_network
    from pipeline.clip.tensors import write_tensors
    from pipeline.clip.vocabulary import learn_merges, write_merges

    folder = tmp_path_factory.mktemp("tiny_clip")
    merges = learn_merges(["a small red circle moves to the left", "two objects over a tiled floor"], 60)
    write_merges(folder / "merges.txt.gz", merges)
    text = {"vocab_size": 514 + len(merges), "tokenizer_kwargs": {"bpe_path": "merges.txt.gz"}}
    model = {**TINY_CLIP, "text_cfg": {**TINY_CLIP["text_cfg"], **text}}
    (folder / "model.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": {}}))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(model, "tiny")
    write_tensors(folder / "weights.safetensors", network.state_dict())
    return folder / "weights.safetensors"


@pytest.fixture(scope="session")
def terse_captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Qwen2.5-VL of 0.4 M parameters that ends each string of its JSON after a few letters.

    So its answers are whole captions without any sense, which differ with what it is shown.
    """
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    from captioner.random_start import RandomStartConfig, random_start

    folder = tmp_path_factory.mktemp("captioner") / "terse"
    shape = {"width": 64, "layers": 2, "vision_width": 64, "vision_layers": 2, "patch_px": 14}
    texts = ["Two small red circles move to the left over a tiled floor while the camera pans."] * 8
    random_start(RandomStartConfig(**shape, vocabulary=600, max_tokens=2048), texts, folder)  # type: ignore[arg-type]
    path = folder / "model.safetensors"
    weights: dict[str, Any] = load_file(path)
    for name, weight in weights.items():
        if weight.dim() == 2 and "embed_tokens" not in name:
            # Untouched it only repeats its last token, whatever it is shown.
            weight *= 8
    (name,) = (name for name in weights if "embed_tokens" in name)
    read: Any = AutoTokenizer.from_pretrained
    tokenizer = read(str(folder))
    words = tokenizer.get_vocab()
    # The alphabet of byte-level BPE: a space is a letter of its own.
    rest = sorted(k for word, k in words.items() if not word.lstrip("\u0120").encode().isalnum())
    weights[name][torch.tensor(rest)] *= 1e-3
    save_file(weights, path, metadata={"format": "pt"})
    with torch.inference_mode():
        model: Any = AutoModelForImageTextToText.from_pretrained(str(folder), dtype=torch.float32)
        ids = torch.tensor([tokenizer(texts[0])["input_ids"]])
        seen = model(input_ids=ids, output_hidden_states=True).hidden_states[-1][0]
        # What its states have in common, a quotation mark answers to.
        weights[name][words['"']] = 4 * torch.nn.functional.normalize(seen.mean(dim=0), dim=0)
    save_file(weights, path, metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="session")
def sample_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model that training made in three steps: `model-video` and `model-pictures`, and the autoencoders `video` and
    `pictures`."""
    import torch

    from infra.bench.made_model import make_model

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    base = tmp_path_factory.mktemp("sampling")
    make_model(base)
    torch.set_num_threads(threads)
    return {name: base / name for name in ("video", "pictures", "model-video", "model-pictures")}


@pytest.fixture(scope="session")
def sample_values(sample_folders: dict[str, Path]) -> Callable[..., dict[str, Any]]:
    """Values of a sampling config for one of the autoencoders, with some of them replaced."""
    from infra.demo.weights import CLIP_WEIGHTS

    def values(kind: str = "video", **changes: Any) -> dict[str, Any]:
        return {
            "model": str(sample_folders[f"model-{kind}"]),
            "autoencoder": {"model": str(sample_folders[kind])},
            "text_encoder": {"model": str(CLIP_WEIGHTS.parent)},
            "size": [40, 32],
            "frame_rate": 8.0,
            "seconds": 1.0,
            "window_s": 4.0,
            "context_s": 1.0,
            "loop_s": 0.5,
            "solver": {"steps": 3},
            "guidance": {"text": 2.0},
            "threads": 1,
            "memory_gib": 8.0,
            **changes,
        }

    return values
