"""A studio on a tiny model of random weights, inside this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from PIL import Image

from infra.demo.tiny import tiny_film
from infra.sample_config import SampleConfig
from infra.studio.app import Server, make_app
from trainer.sampling import find_model

GIB = 2.0**30


@pytest.fixture(scope="session")
def studio_config(sample_values: Callable[..., dict[str, Any]]) -> SampleConfig:
    return SampleConfig.model_validate(sample_values())


@pytest.fixture
def studio(studio_config: SampleConfig, tmp_path: Path) -> Server:
    """A server whose worker does not work yet."""
    return Server(studio_config, find_model(studio_config), tmp_path / "studio", 8 * GIB)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of 96x48."""
    rows, columns = np.mgrid[0:48, 0:96]
    path = tmp_path_factory.mktemp("picture") / "given.png"
    Image.fromarray(np.stack([rows * 5, columns * 2, rows + columns], -1).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 of 40x32, two seconds at the model's rate."""
    path = tmp_path_factory.mktemp("video") / "given.mp4"
    tiny_film(path, num_frames=16, cuts=(), size=(40, 32), fps=8)
    return path


@dataclass
class Served:
    """A running server, in threads of this process."""

    url: str
    server: Server
    stop: Callable[[], None]


@pytest.fixture
def talking_config(sample_values: Callable[..., dict[str, Any]], talker: Any) -> SampleConfig:
    """The model of `studio_config`, and a language model that writes prompts out."""
    return SampleConfig.model_validate(sample_values(expand=talker.engine))


@pytest.fixture
def start_studio(studio_config: SampleConfig) -> Iterator[Callable[..., Served]]:
    """Serve a folder on a free port; ended with the test."""
    with ExitStack() as stack:

        def start(folder: Path, *, works: bool = True, config: SampleConfig = studio_config) -> Served:
            own = stack.enter_context(ExitStack())
            server = Server(config, find_model(config), folder, 8 * GIB)
            return Served(own.enter_context(running(server, works=works)), server, own.close)

        yield start


async def hang_up(runner: web.AppRunner) -> None:
    """End a server and each connection to it, also one that its browser does not read from or made only now."""
    connections = runner.server
    assert connections is not None
    transports = {connection.transport for connection in connections.connections}
    await runner.cleanup()
    # A connection that was being accepted is there a moment later.
    await asyncio.sleep(0.25)
    for transport in transports | {connection.transport for connection in connections.connections}:
        if transport is not None:
            transport.abort()
    await asyncio.sleep(0.05)


@contextmanager
def running(server: Server, *, works: bool) -> Iterator[str]:
    """Have a server answer, and its worker work or not; gives the address."""
    loop = asyncio.new_event_loop()
    answering, working = (
        Thread(target=loop.run_forever),
        Thread(target=server.worker.run if works else server.line.open),
    )

    def wait(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    answering.start()
    working.start()
    runner = web.AppRunner(make_app(server, "127.0.0.1"), access_log=None, shutdown_timeout=1.0)
    wait(runner.setup())
    wait(web.TCPSite(runner, "127.0.0.1", 0).start())
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        wait(hang_up(runner))
        working.join(60)
        wait(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        answering.join(60)
        loop.close()
        assert not working.is_alive()
