"""The server behind `rushes inspect --serve`: the page, what it asks for, and the labels it sends."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aiohttp import web

from infra.inspect.assets import Live, policy
from infra.inspect.report import render
from infra.inspect.stories import tell_many
from infra.inspect.strips import shown_pictures
from infra.inspect.text import visible
from infra.serve import library
from infra.serve.label_book import MAX_NOTE, LabelBook, now_label
from infra.serve.views import Views
from infra.web.server import guarded_app, in_thread, listen, read_json
from pipeline.dataset import Dataset
from schemas import ConfigError

_MAX_BODY = 16 * 1024
PATIENCE_S = 1.5
"""How long a browser waits for a page that is being made; then it is told so, and asks again by itself."""
_WAITING_CSS = "body { font: 16px/1.5 system-ui, sans-serif; margin: 20vh auto; max-width: 34em; padding: 0 1em }"
_WAITING = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>rushes</title>
<style>{css}</style></head><body><h1>{clips} clips</h1>
<p>The page is being made, for {seconds:.0f} s now. It opens by itself; after that it is here at once until the tables
change.</p></body></html>
"""
_MAX_KNOWN = 65536
"""Clips whose video is remembered."""
MAX_REVIEWER = 80
"""Characters of a reviewer's name."""


@dataclass(slots=True)
class _Page:
    """The page as it was last made."""

    state: str = ""
    html: str = ""


class Server:
    """Answers requests; what reads tables or files does so in threads.

    Args:
        dataset: What is shown.
        reviewer: In whose name labels are written.
        book: Takes the labels.
        patience_s: How long a request for the page waits for it.
    """

    def __init__(self, dataset: Dataset, reviewer: str, book: LabelBook, *, patience_s: float = PATIENCE_S) -> None:
        self.live = Live(secrets.token_urlsafe(24), reviewer)
        self._dataset, self._book, self._views = dataset, book, Views(dataset)
        self._page = _Page()
        self._patience_s = patience_s
        self._making: asyncio.Task[None] | None = None
        self._making_since = 0.0
        # A clip's id comes from its video's: what was found once stays true.
        self._video_of = lru_cache(maxsize=_MAX_KNOWN)(self._find_video)

    def routes(self) -> list[web.RouteDef]:
        """Every path; nothing of a path ever becomes a file's name, ids are looked up in the tables."""
        return [
            web.get("/", self.page),
            web.get("/favicon.ico", self.no_icon),
            web.get("/api/search", self.search),
            web.get("/api/queue", self.queue),
            web.get("/api/clip/{clip_id:[0-9a-f]{32}}", self.story),
            web.get("/preview/{clip_id:[0-9a-f]{32}}/{index:[0-9]}.jpg", self.preview),
            web.get("/api/labels", self.labels),
            web.post("/api/labels", self.label),
        ]

    async def page(self, _: web.Request) -> web.Response:
        """The page, made anew when the tables have changed; of many clips that takes a while."""
        state = await in_thread(self._views.state)
        if self._making is None and state != self._page.state:
            self._making_since = time.monotonic()
            self._making = asyncio.create_task(self._make(state))
        if (making := self._making) is not None:
            await asyncio.wait({making}, timeout=self._patience_s)
            if not making.done():
                return await self._waiting()
            making.result()
        return web.Response(
            text=self._page.html,
            content_type="text/html",
            headers={"Content-Security-Policy": f"{policy(is_live=True)}; frame-ancestors 'none'"},
        )

    async def _make(self, state: str) -> None:
        try:
            html = await in_thread(self._views.read_long, lambda db, _: render(db, self._dataset, self.live))
            self._page = _Page(state, html)
        finally:
            self._making = None

    async def _waiting(self) -> web.Response:
        clips = await in_thread(self._dataset.manifest.count, "clips")
        seconds = time.monotonic() - self._making_since
        digest = base64.b64encode(hashlib.sha256(_WAITING_CSS.encode()).digest()).decode()
        return web.Response(
            status=202,
            text=_WAITING.format(css=_WAITING_CSS, clips=f"{clips:,}", seconds=seconds),
            content_type="text/html",
            headers={"Refresh": "1", "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'"},
        )

    async def no_icon(self, _: web.Request) -> web.Response:
        """Browsers ask for it by themselves."""
        return web.Response(status=204)

    async def search(self, request: web.Request) -> web.Response:
        """Clips by id and text."""
        query = request.query.get("q", "")
        return web.json_response(await in_thread(self._views.read, lambda db, _: library.search(db, query)))

    async def queue(self, request: web.Request) -> web.Response:
        """Ids of clips to be reviewed."""
        wanted = request.query.get("of", "all")
        found = await in_thread(
            self._views.read,
            lambda db, rules: library.queue(db, wanted, rules),
            with_sample=wanted.startswith("border:"),
        )
        if found is None:
            raise web.HTTPNotFound(reason="there is no such queue")
        return web.json_response({"clip_ids": found})

    async def story(self, request: web.Request) -> web.Response:
        """All of one clip."""
        clip_id = request.match_info["clip_id"]
        found = await in_thread(self._views.read, lambda db, _: tell_many(db, [clip_id]))
        if clip_id not in found:
            raise web.HTTPNotFound(reason="there is no such clip")
        return web.json_response(found[clip_id])

    async def preview(self, request: web.Request) -> web.Response:
        """One picture of a clip."""
        clip_id, index = request.match_info["clip_id"], int(request.match_info["index"])
        picture = await in_thread(self._picture, clip_id, index)
        if picture is None:
            # Short clips have fewer; that is no error.
            return web.Response(status=204)
        return web.Response(body=picture, content_type="image/jpeg")

    def _find_video(self, clip_id: str) -> str:
        video_id = self._views.read(lambda db, _: library.video_of(db, clip_id))
        if video_id is None:
            raise web.HTTPNotFound(reason="there is no such clip")
        return video_id

    def _picture(self, clip_id: str, index: int) -> bytes | None:
        video_id = self._video_of(clip_id)
        if library.CLIP_ID.fullmatch(video_id) is None:
            return None
        try:
            pictures = shown_pictures(self._dataset, video_id, clip_id)
        except (OSError, tarfile.TarError):
            return None
        return pictures[index] if index < len(pictures) else None

    async def labels(self, _: web.Request) -> web.Response:
        """The reviewer's labels, what all labels say of the rules, and whether all are saved."""
        # Before the tables: what is committed in between is then met twice, not missed.
        pending = self._book.pending()
        found = await in_thread(self._views.read, lambda db, _: library.labels(db, pending, self.live.reviewer))
        return web.json_response(found | {"message": self._book.message})

    async def label(self, request: web.Request) -> web.Response:
        """Take a label, or take one back (`good` is null)."""
        clip_id, good, note = _read_label(await read_json(request))
        await in_thread(self._video_of, clip_id)
        try:
            await in_thread(self._book.add, now_label(clip_id, self.live.reviewer, good, note))
        except OSError as error:
            raise web.HTTPInsufficientStorage(reason="the label cannot be written down") from error
        return await self.labels(request)


def make_app(
    dataset: Dataset, host: str, reviewer: str, book: LabelBook, *, patience_s: float = PATIENCE_S
) -> web.Application:
    """The server as an aiohttp application; it closes the book when it ends."""
    server = Server(dataset, reviewer, book, patience_s=patience_s)
    app = guarded_app(host, server.live.token, server.routes(), max_body_bytes=_MAX_BODY)

    async def close(_: web.Application) -> AsyncIterator[None]:
        yield
        await in_thread(book.close)

    app.cleanup_ctx.append(close)
    return app


def serve(dataset: Dataset, *, host: str, port: int, reviewer: str, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        dataset: What to show.
        host: Where to listen.
        port: Where to listen; any free one for 0.
        reviewer: In whose name labels are written.
        say: Told the address once the server listens.

    Raises:
        ConfigError: The address cannot be used, or the reviewer has no proper name.
    """
    if not reviewer.strip() or len(reviewer) > MAX_REVIEWER or visible(reviewer) != reviewer:
        raise ConfigError(
            f"--reviewer {visible(reviewer)[:MAX_REVIEWER]!r}: a name of 1 to {MAX_REVIEWER} characters is wanted"
        )
    asyncio.run(_serve(dataset, host, port, reviewer, say))


async def _serve(dataset: Dataset, host: str, port: int, reviewer: str, say: Callable[[str], None]) -> None:
    book = await in_thread(LabelBook, dataset)
    await listen(make_app(dataset, host, reviewer, book), host, port, say)


def _read_label(body: Any) -> tuple[str, bool | None, str | None]:
    given = body if isinstance(body, dict) else {}
    clip_id, good, note = given.get("clip_id"), given.get("good"), given.get("note")
    if not isinstance(clip_id, str) or library.CLIP_ID.fullmatch(clip_id) is None:
        raise web.HTTPBadRequest(reason="clip_id must be 32 hexadecimal digits")
    if not isinstance(good, bool | None) or "good" not in given:
        raise web.HTTPBadRequest(reason="good must be true, false or null")
    if not isinstance(note, str | None) or len(note or "") > MAX_NOTE:
        raise web.HTTPBadRequest(reason=f"note must be at most {MAX_NOTE} characters")
    try:
        (note or "").encode()
    except UnicodeEncodeError as error:
        raise web.HTTPBadRequest(reason="note is no text") from error
    return clip_id, good, note or None
