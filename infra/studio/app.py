"""The server behind `rushes sample --serve`: the form, what waits, what was made."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from infra.policy.gate import gate_of
from infra.sample_config import SampleConfig
from infra.studio.document import render
from infra.studio.form import field_of, read_as, read_form, told
from infra.studio.history import Entry, History
from infra.studio.intake import Intake
from infra.studio.line import Line
from infra.studio.references import MAX_UPLOAD_BYTES, References
from infra.studio.scribe import MAX_WAITING, Scribe, Wording
from infra.studio.worker import Worker
from infra.web.guard import JSON
from infra.web.server import guarded_app, in_thread, listen, read_json
from schemas import ConfigError
from trainer.sampling import ModelSource, find_model

UPLOAD = "application/octet-stream"
_MAX_BODY = 256 * 1024
"""A form's; uploads have their own limit."""
_CHUNK = 1 << 20
_UPLOADS_AT_ONCE = 4
_PAGE = 24
"""Results that are sent at once; more where a set would be torn apart."""
_RESULT = r"{name:\d{8}-\d{6}-[0-9a-f]{8}}"
_GIVEN = "{name:[0-9a-f]{32}}"
_TYPES = {".mp4": "video/mp4", ".png": "image/png"}


class Server:
    """Answers requests; what reads files or thinks does so in threads.

    Args:
        config: How the model is asked.
        source: The model.
        folder: Where results are kept, and uploads below it.
        available_bytes: Of memory, before the model is loaded.

    Raises:
        ConfigError: The folder cannot be used, or the model that writes prompts out is none.
    """

    def __init__(self, config: SampleConfig, source: ModelSource, folder: Path, available_bytes: float) -> None:
        self.token = secrets.token_urlsafe(24)
        self.line, self.history = Line(), History(folder)
        self.worker = Worker(config, source, available_bytes, self.line, self.history)
        self._references = References(folder / "given", config.max_seconds)
        self._intake = Intake(config, self._references, self.history, self.worker)
        self.scribe = Scribe(config)
        self._page = render(config, source, self.token, num_unread=self.history.num_unread)
        # Decoders take memory and cores: one form or upload at a time is looked at, and few come in together.
        self._turn, self._coming = asyncio.Semaphore(1), asyncio.Semaphore(_UPLOADS_AT_ONCE)
        self._writing, self._num_wordings = asyncio.Semaphore(1), 0

    def routes(self) -> list[web.RouteDef]:
        """Every path; nothing of a path ever becomes a file's name, ids are looked up."""
        return [
            web.get("/", self.page),
            web.get("/favicon.ico", self.no_icon),
            web.get("/api/line", self.standing),
            web.get("/api/history", self.entries),
            web.get("/api/given/" + _GIVEN, self.about_given),
            web.get("/api/made/" + _RESULT, self.about_made),
            web.post("/api/orders", self.order),
            web.post(f"/api/orders/{_RESULT}/cancel", self.cancel),
            web.post("/api/expansions", self.expand),
            web.post("/api/given", self.upload),
            web.get(f"/given/{_GIVEN}.jpg", self.given_picture),
            web.get(f"/made/{_RESULT}.jpg", self.picture),
            web.get(f"/made/{_RESULT}", self.result),
            web.get(f"/made/{_RESULT}/record", self.record),
            web.get(f"/made/{_RESULT}/draft/{{number:[1-9][0-9]{{0,2}}}}", self.draft),
        ]

    async def page(self, _: web.Request) -> web.Response:
        """The page; it asks for the rest."""
        html, policy = self._page
        return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def no_icon(self, _: web.Request) -> web.Response:
        """Browsers ask for it by themselves."""
        return web.Response(status=204)

    async def standing(self, _: web.Request) -> web.Response:
        """What waits and runs, what became of the last ones, and how many results there are."""
        return web.json_response({**self.line.to_json(), "num_results": len(self.history)})

    async def entries(self, request: web.Request) -> web.Response:
        """Results, the newest first."""
        found = self.history.newest(_PAGE, request.query.get("before"))
        has_more = bool(found) and bool(self.history.newest(1, found[-1].set_id))
        entries = [{**entry.model_dump(mode="json"), "num_drafts": len(self.history.drafts(entry))} for entry in found]
        return web.json_response({"entries": entries, "has_more": has_more})

    async def order(self, request: web.Request) -> web.Response:
        """Take a form: check all of it, and put what it asks for at the end of the line."""
        values = await read_json(request)
        try:
            form = await in_thread(read_form, values)
            async with self._turn:
                orders, notes = await in_thread(self._intake.take, form)
            self.line.add(orders)
        except ConfigError as error:
            return _refused(str(error), field_of(error))
        return web.json_response({"ids": [order.id for order in orders], "notes": notes})

    async def expand(self, request: web.Request) -> web.Response:
        """Have prompts written out."""
        if not self.scribe.is_there:
            raise web.HTTPNotFound(reason="no model is named that writes prompts out")
        values = await read_json(request)
        if self._num_wordings >= MAX_WAITING:
            raise web.HTTPTooManyRequests(reason="too many prompts are being written out: ask again later")
        self._num_wordings += 1
        try:
            wording = read_as(Wording, values)
            async with self._writing:
                found = await in_thread(self.scribe.write_out, wording)
        except ConfigError as error:
            return _refused(told(str(error)), field_of(error) or "prompt")
        finally:
            self._num_wordings -= 1
        return web.json_response({"prompts": [asdict(one) for one in found]})

    async def cancel(self, request: web.Request) -> web.Response:
        """Have an order not made that waits or is being made."""
        if not self.line.cancel(request.match_info["name"]):
            raise web.HTTPConflict(reason="it is over")
        return await self.standing(request)

    async def upload(self, request: web.Request) -> web.Response:
        """Take a picture or a video; it is looked at before it counts."""
        if request.content_type != UPLOAD:
            raise web.HTTPUnsupportedMediaType(reason=f"{UPLOAD} is wanted")
        scratch = self._references.scratch()
        try:
            async with self._coming:
                await _received(request, scratch)
            async with self._turn:
                name = await in_thread(self._references.keep, scratch)
        except ConfigError as error:
            return _refused(str(error), "reference")
        finally:
            await in_thread(scratch.unlink, missing_ok=True)
        return await self._about(f"given/{name}")

    async def about_given(self, request: web.Request) -> web.Response:
        """Size and length of an upload."""
        return await self._about(f"given/{request.match_info['name']}")

    async def about_made(self, request: web.Request) -> web.Response:
        """Size and length of a result."""
        return await self._about(f"made/{request.match_info['name']}")

    async def _about(self, name: str) -> web.Response:
        found = await in_thread(self._intake.reference, name)
        if found is None:
            raise web.HTTPNotFound(reason="there is no such reference")
        return web.json_response({"id": name, **found.to_json()})

    async def given_picture(self, request: web.Request) -> web.StreamResponse:
        """The first picture of an upload."""
        name = request.match_info["name"]
        if await in_thread(self._references.find, name) is None:
            raise web.HTTPNotFound(reason="there is no such reference")
        return _file(self._references.picture(name), "image/jpeg")

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """The first picture of a result."""
        return _file(self.history.picture(self._entry(request)), "image/jpeg")

    async def result(self, request: web.Request) -> web.StreamResponse:
        """A result itself; a part of it where a player asks for one."""
        entry = self._entry(request)
        return _file(self.history.file(entry), _TYPES[entry.suffix], request)

    async def record(self, request: web.Request) -> web.StreamResponse:
        """What is written into a result, and beside it."""
        entry = self._entry(request)
        return _file(self.history.folder / f"{entry.id}.json", JSON, request)

    async def draft(self, request: web.Request) -> web.StreamResponse:
        """A small draft of a result."""
        entry, number = self._entry(request), int(request.match_info["number"])
        drafts = self.history.drafts(entry)
        if number > len(drafts):
            raise web.HTTPNotFound(reason="there is no such draft")
        return _file(drafts[number - 1], _TYPES[entry.suffix], request)

    def _entry(self, request: web.Request) -> Entry:
        entry = self.history.find(request.match_info["name"])
        if entry is None:
            raise web.HTTPNotFound(reason="there is no such result")
        return entry


def make_app(server: Server, host: str) -> web.Application:
    """The server as an aiohttp application; it has the worker stop when it ends.

    Args:
        server: What answers.
        host: Where it listens.
    """
    app = guarded_app(host, server.token, server.routes(), max_body_bytes=_MAX_BODY, bodies=(JSON, UPLOAD))

    async def close(_: web.Application) -> AsyncIterator[None]:
        yield
        server.line.close()
        await in_thread(server.scribe.close)

    app.cleanup_ctx.append(close)
    return app


def serve(config: SampleConfig, *, folder: Path, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        config: Which model, and how it is asked.
        folder: Where results are kept.
        host: Where to listen.
        port: Where to listen; any free one for 0.
        say: Told the address once the server listens.

    Raises:
        ConfigError: The model, the folder or the address cannot be used.
    """
    asyncio.run(_serve(config, folder, host, port, say))


async def _serve(config: SampleConfig, folder: Path, host: str, port: int, say: Callable[[str], None]) -> None:
    server = await in_thread(_server, config, folder)
    await listen(make_app(server, host), host, port, say, lambda: in_thread(server.worker.run))


def _server(config: SampleConfig, folder: Path) -> Server:
    from trainer.sampling.plan import available_memory
    from trainer.sampling.sampler import device_of

    # A policy that cannot be read is a mistake that is found before anybody comes.
    gate_of(config.policy)
    return Server(config, find_model(config), folder, available_memory(config, device_of(config)))


async def _received(request: web.Request, path: Path) -> None:
    """Write a body to a file.

    Raises:
        aiohttp.web.HTTPRequestEntityTooLarge: It is larger than an upload may be.
        ConfigError: It cannot be written.
    """
    if (request.content_length or 0) > MAX_UPLOAD_BYTES:
        raise _too_large(request.content_length or 0)
    num_bytes = 0
    try:
        with path.open("wb") as file:
            async for chunk in request.content.iter_chunked(_CHUNK):
                num_bytes += len(chunk)
                if num_bytes > MAX_UPLOAD_BYTES:
                    raise _too_large(num_bytes)
                await in_thread(file.write, chunk)
    except OSError as error:
        raise ConfigError(f"the upload cannot be kept: {error.strerror or error}") from error


def _too_large(num_bytes: int) -> web.HTTPRequestEntityTooLarge:
    error = web.HTTPRequestEntityTooLarge(MAX_UPLOAD_BYTES, num_bytes)
    error.set_status(413, f"a reference has at most {MAX_UPLOAD_BYTES // 2**20} MiB")
    return error


def _refused(sentence: str, field: str) -> web.Response:
    return web.json_response({"error": sentence, "field": field}, status=422)


def _file(path: Path, kind: str, request: web.Request | None = None) -> web.StreamResponse:
    """A file of ours; to be saved where the request says so."""
    if not path.is_file():
        raise web.HTTPNotFound(reason="the file is no longer there")
    headers = {"Content-Type": kind}
    if request is not None and "download" in request.query:
        headers["Content-Disposition"] = f'attachment; filename="{path.name}"'
    return web.FileResponse(path, headers=headers)
