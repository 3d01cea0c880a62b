"""The server over real HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.serve import make_app, serve
from infra.serve.label_book import LabelBook
from pipeline.dataset import Dataset
from schemas import ConfigError

VIDEO = "ab" * 16


class Client:
    """Asks one server, with whatever headers and path a test wants."""

    def __init__(self, url: str) -> None:
        self.netloc = urlsplit(url).netloc

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, body (read as JSON where it is), headers; a page that is being made is waited for."""
        while (answer := self._ask(path, method, body, headers))[0] == 202:
            time.sleep(0.1)
        return answer

    def _ask(self, path: str, method: str, body: Any, headers: dict[str, str]) -> tuple[int, Any, Any]:
        connection = http.client.HTTPConnection(self.netloc, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in headers)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if data:
            headers.setdefault("Content-Type", "application/json")
            headers["Content-Length"] = str(len(data))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(raw) if is_json else raw, answer.headers

    def token(self) -> str:
        """The token of the page."""
        _, page, _ = self.ask("/")
        found = re.search(r'"token":"([^"]+)"', page.decode())
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, make_dataset: Any, start_server: Any) -> Client:
    """A server on which nothing is changed."""
    return Client(start_server(make_dataset(tmp_path_factory.mktemp("served"))).url)


@pytest.fixture
def client(start_server: Callable[..., Any], dataset: Dataset) -> Client:
    return Client(start_server(dataset).url)


def test_pages_stories_pictures_search_and_queues(reader: Client) -> None:
    status, page, headers = reader.ask("/")
    assert (status, headers["X-Frame-Options"]) == (200, "DENY")
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert b"<img src=x" not in page
    assert reader.ask(f"/api/clip/{'3' * 32}")[1]["tables"]["selection"][0]["reason"] == "dark"
    status, picture, headers = reader.ask(f"/preview/{'3' * 32}/0.jpg")
    assert (status, headers["Content-Type"], picture[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert reader.ask(f"/preview/{'3' * 32}/1.jpg")[0] == 204
    for query, number in (("3333", 1), (VIDEO[:6], 8), ("ONERROR", 8), ("dark", 4), ("%25", 0), ("", 0), ("'; --", 0)):
        found = reader.ask(f"/api/search?q={query.replace(' ', '%20')}")[1]
        assert len(found["stories"]) == number, query
    queues = {"all": 8, "kept": 4, "dropped": 4, "reason:dark": 4, "reason:other": 0, "border:0": 8}
    for wanted, number in queues.items():
        assert len(reader.ask(f"/api/queue?of={wanted}")[1]["clip_ids"]) == number, wanted
    assert reader.ask("/api/queue?of=border:0")[1]["clip_ids"][1] == "6" * 32


@pytest.mark.parametrize(
    "path",
    [
        "/preview/../../dataset.yaml",
        "/preview/..%2f..%2fdataset.yaml/0.jpg",
        f"/preview/{'3' * 32}/..%2f0.jpg",
        f"/preview/{'Z' * 32}/0.jpg",
        f"/preview/{'9' * 32}/0.jpg",
        "/api/clip/'%20OR%201=1",
        f"/api/clip/{'9' * 32}",
        "/api/queue?of=clips",
        "/api/queue?of=border:7",
        "/dataset.yaml",
        "//etc/passwd",
    ],
)
def test_what_there_is_not_is_not_found(reader: Client, path: str) -> None:
    assert reader.ask(path)[0] == 404


@pytest.mark.parametrize(
    "path", ["/", "/api/labels", "/api/search?q=a", "/api/queue", f"/api/clip/{'3' * 32}", "/nowhere"]
)
def test_no_path_answers_under_a_foreign_name_or_another_sites_page(reader: Client, path: str) -> None:
    assert reader.ask(path, Host="rebound.example:8765")[0] == 403
    assert reader.ask(path, Host="")[0] == 403
    assert reader.ask(path, Origin="http://127.0.0.1:1")[0] == 403
    if path != "/":
        assert reader.ask(path, Sec_Fetch_Site="cross-site")[0] == 403
        assert reader.ask(path, Sec_Fetch_Site="same-site")[0] == 403


def test_only_one_path_takes_anything_and_only_with_the_token(reader: Client) -> None:
    token = {"X_Rushes_Token": reader.token()}
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        for path in ("/", "/api/search", "/api/queue", f"/api/clip/{'3' * 32}", f"/preview/{'3' * 32}/0.jpg"):
            assert reader.ask(path, method, {})[0] == 403, (method, path)
            assert reader.ask(path, method, {}, **token)[0] == 405, (method, path)
    assert reader.ask("/api/labels", "PUT", {}, **token)[0] == 405


def test_every_answer_forbids_framing_sniffing_and_reading_from_elsewhere(reader: Client) -> None:
    for path in ("/", "/api/labels", "/nowhere", "/favicon.ico", f"/preview/{'3' * 32}/0.jpg"):
        headers = reader.ask(path)[2]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


def test_a_browser_that_would_wait_long_is_told_and_asks_again(dataset: Dataset) -> None:
    from aiohttp.test_utils import TestClient, TestServer

    async def ask() -> None:
        book = LabelBook(dataset)
        server = TestServer(make_app(dataset, "127.0.0.1", "ana", book, patience_s=0.0))
        async with TestClient(server) as client:
            first = await client.get("/")
            assert (first.status, first.headers["Refresh"]) == (202, "1")
            assert "<h1>8 clips</h1>" in await first.text()
            while (later := await client.get("/")).status == 202:
                await asyncio.sleep(0.05)
            assert later.status == 200
            assert (await client.get("/")).status == 200

    asyncio.run(ask())


def test_who_may_ask(client: Client) -> None:
    label = {"clip_id": "3" * 32, "good": True}
    token = {"X_Rushes_Token": client.token()}
    assert client.ask("/", Host="evil.example")[0] == 403
    assert client.ask("/", Host="evil.example:80")[0] == 403
    assert client.ask("/api/labels", Sec_Fetch_Site="cross-site")[0] == 403
    assert client.ask("/api/labels", Origin="http://evil.example")[0] == 403
    assert client.ask("/api/labels", "POST", label)[0] == 403
    assert client.ask("/api/labels", "POST", label, X_Rushes_Token="wrong")[0] == 403
    assert client.ask("/api/labels", "POST", label, Origin="null", **token)[0] == 403
    assert client.ask("/api/labels", "POST", label, Content_Type="text/plain", **token)[0] == 415
    assert client.ask("/api/labels", "DELETE", **token)[0] in (403, 405, 415)
    assert client.ask("/api/labels")[1]["labels"] == {}
    status, _, headers = client.ask("/api/labels", "POST", label, **token)
    assert status == 200
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ([], 400),
        ({"clip_id": "3" * 31, "good": True}, 400),
        ({"clip_id": "3" * 32}, 400),
        ({"clip_id": "3" * 32, "good": 1}, 400),
        ({"clip_id": "3" * 32, "good": True, "note": "x" * 501}, 400),
        ({"clip_id": "3" * 32, "good": True, "note": "\ud800"}, 400),
        ({"clip_id": "9" * 32, "good": True}, 404),
        ({"clip_id": "3" * 32, "good": True, "note": "x" * 20_000}, 413),
        (b"[" * 15_000, 400),
    ],
)
def test_a_label_that_is_none_is_refused(reader: Client, body: Any, status: int) -> None:
    given = reader.ask("/api/labels", "POST", body, X_Rushes_Token=reader.token())
    assert given[0] == status
    assert reader.ask("/api/labels")[1]["labels"] == {}


def test_labels_count_at_once_and_are_in_the_table_when_the_server_has_ended(
    start_server: Callable[..., Any], dataset: Dataset
) -> None:
    served = start_server(dataset)
    client = Client(served.url)
    token = {"X_Rushes_Token": client.token()}
    with dataset.lock():
        for k, good in ((1, False), (3, True), (0, False)):
            said = client.ask("/api/labels", "POST", {"clip_id": f"{k}" * 32, "good": good, "note": "n"}, **token)[1]
        assert said["labels"]["3" * 32] == {"good": True, "note": "n"}
        every = said["judgements"][0]
        assert (every["num_bad_dropped"], every["num_good_dropped"], every["recall"]) == (1, 1, 0.5)
        said = client.ask("/api/labels", "POST", {"clip_id": "3" * 32, "good": None}, **token)[1]
        assert set(said["labels"]) == {"1" * 32, "0" * 32}
    assert served.stop() == 0
    rows = dataset.manifest.read("labels").to_pylist()
    assert {row["clip_id"][0]: (row["good"], row["reviewer"]) for row in rows} == {
        "1": (False, "ana"),
        "0": (False, "ana"),
    }


def test_the_page_follows_the_tables(client: Client, dataset: Dataset) -> None:
    assert b"newcomer" not in client.ask("/")[1]
    dataset.manifest.append("files", [{"uri": "/newcomer.mp4", "outcome": "error", "error_kind": "corrupt"}])
    assert b"newcomer" in client.ask("/")[1]


def test_the_command_serves_and_ends_in_peace(start_server: Any, dataset: Dataset) -> None:
    command = ("-m", "infra.cli.main", "inspect", dataset.root, "--serve", "--port", "0", "--json")
    served = start_server(dataset, *command, "--reviewer", "ana")
    assert Client(served.url).ask("/api/labels")[0] == 200
    assert served.stop() == 0


@pytest.mark.parametrize("reviewer", ["", " ", "x" * 81, "a\u202eb", "a\nb"])
def test_a_reviewer_needs_a_name_that_can_be_read(dataset: Dataset, reviewer: str) -> None:
    with pytest.raises(ConfigError, match="--reviewer"):
        serve(dataset, host="127.0.0.1", port=0, reviewer=reviewer, say=print)


def test_a_port_in_use_is_one_sentence(reader: Client, dataset: Dataset) -> None:
    port = int(reader.netloc.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"--serve: 127.0.0.1:{port} cannot be listened on"):
        serve(dataset, host="127.0.0.1", port=port, reviewer="ana", say=print)
