"""An object store and a Ray cluster of three nodes, all on this machine."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from infra.bench.processes import Marked, wait_for


class ObjectStore:
    """moto's server: S3 over real HTTP."""

    def __init__(self, port: int) -> None:
        self.env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        self.client = boto3.client(
            "s3",
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )


class Node:
    """One raylet with all that belongs to it, in a folder of its own."""

    def __init__(self, scratch: Path, name: str, env: dict[str, str], *, address: str | None) -> None:
        # Ray's socket paths must stay under 108 bytes, which pytest's temporary folders are too long for.
        self.temp = Path(tempfile.mkdtemp(prefix=f"rushes-{name}-", dir="/tmp"))
        port = _free_port() if address is None else None
        self.address = address or f"127.0.0.1:{port}"
        head = ["--head", f"--port={port}", "--include-dashboard=false"]
        where = head if address is None else [f"--address={address}"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
        command += [
            "--node-ip-address=127.0.0.1",
            f"--object-store-memory={100 * 2**20}",
            "--disable-usage-stats",
        ]
        command += [f"--temp-dir={self.temp}", *where]
        self.run = Marked(command, scratch / "cwd", env)

    def shipped(self) -> list[Path]:
        """Where our packages came to lie on this node."""
        return sorted(self.temp.glob("session_*/runtime_resources/py_modules_files/_ray_pkg_*/pipeline/__init__.py"))

    def kill(self) -> int:
        """`kill -9` of everything on this node; how many processes there were."""
        return self.run.kill_all()

    def close(self) -> None:
        """End it and remove its files."""
        self.run.__exit__(None, None, None)
        shutil.rmtree(self.temp, ignore_errors=True)


@pytest.fixture
def object_store(tmp_path: Path) -> Iterator[ObjectStore]:
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with Marked(command, tmp_path / "cwd") as server:
        assert wait_for(lambda: _answers(port), timeout_s=60), server.output
        yield ObjectStore(port)


@pytest.fixture
def cluster_env(tmp_path: Path, object_store: ObjectStore) -> dict[str, str]:
    """What nodes and driver have in common: the object store, and a token that lets no stranger in."""
    token = tmp_path / "token"
    token.write_text(secrets.token_hex(32))
    return {**object_store.env, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}


@pytest.fixture
def three_nodes(tmp_path: Path, cluster_env: dict[str, str]) -> Iterator[list[Node]]:
    nodes: list[Node] = []
    try:
        nodes.append(Node(tmp_path, "head", cluster_env, address=None))
        head = nodes[0]
        assert wait_for(lambda: _answers(int(head.address.rpartition(":")[2])), timeout_s=60), head.run.output
        for name in ("second", "third"):
            nodes.append(Node(tmp_path, name, cluster_env, address=head.address))
        assert wait_for(lambda: all("Ray runtime started" in node.run.output for node in nodes), timeout_s=90), [
            node.run.output for node in nodes
        ]
        yield nodes
    finally:
        for node in reversed(nodes):
            node.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(0.2)
        return caller.connect_ex(("127.0.0.1", port)) == 0
