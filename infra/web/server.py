"""An application behind the guard, and the address where it listens."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.web.guard import JSON, guard
from schemas import ConfigError

T = TypeVar("T")

_SHUTDOWN_S = 2.0
"""How long answers that are under way may take when the server ends."""


def guarded_app(
    host: str, token: str, routes: Iterable[web.RouteDef], *, max_body_bytes: int, bodies: tuple[str, ...] = (JSON,)
) -> web.Application:
    """An application that answers its own pages alone.

    Args:
        host: Where it listens.
        token: Of this process; every change carries it.
        routes: Every path.
        max_body_bytes: Of a body that is read at once.
        bodies: Content types of the bodies that it takes.
    """
    app = web.Application(middlewares=[guard(host, token, bodies), _told], client_max_size=max_body_bytes)
    app.add_routes(routes)
    return app


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell a user's or a dataset's mistake in one sentence."""
    try:
        return await handler(request)
    except ConfigError as error:
        return web.json_response({"error": str(error)}, status=503)


async def listen(
    app: web.Application,
    host: str,
    port: int,
    say: Callable[[str], None],
    beside: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until interrupted, or until what runs beside it has failed.

    Args:
        app: What is served; it is cleaned up at the end.
        host: Where to listen.
        port: Where to listen; any free one for 0.
        say: Told the address once the server listens.
        beside: Called once the server listens; what it raises ends the server.

    Raises:
        ConfigError: The address cannot be used.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    running: asyncio.Future[None] | None = None
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(f"--serve: {host}:{port} cannot be listened on: {error.strerror}") from error
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{runner.addresses[0][1]}/")
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        if beside is not None:
            running = asyncio.ensure_future(beside())
            running.add_done_callback(lambda _: stopped.set())
        await stopped.wait()
    finally:
        await runner.cleanup()
    if running is not None:
        await running


async def read_json(request: web.Request) -> Any:
    """The body, as JSON.

    Raises:
        aiohttp.web.HTTPBadRequest: It is none.
    """
    try:
        return await request.json()
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(reason="the body is no JSON") from error


async def in_thread(work: Callable[..., T], *given: Any, **named: Any) -> T:
    """The result of a function that reads files or tables, called beside the requests."""
    return await asyncio.to_thread(work, *given, **named)
