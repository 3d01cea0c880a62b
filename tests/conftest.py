"""Fixtures that several tests share: servers that speak HTTP, and real footage where it is at hand."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
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
    """A bucket on an S3 server of this process."""

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
    from moto.server import ThreadedMotoServer

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


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
    import json

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
