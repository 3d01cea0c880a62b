"""The studio over real HTTP."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main
from infra.sample_config import SampleConfig
from infra.studio import app
from infra.studio.app import serve
from infra.studio.scribe import MAX_WAITING
from schemas import ConfigError
from trainer.sampling.provenance import read_record

WAIT_S = 100.0
UPLOAD = "application/octet-stream"


SHOT = {"prompt": "it rolls", "seconds": "0.5"}
SHOTS = {"mode": "shots", "shots": [SHOT, {"prompt": "", "seconds": "0.5", "cut": True}]}


class Client:
    """Asks one studio, as its page does."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        _, page, _ = self.ask("/")
        found = re.search(r'"token":"([^"]+)"', page.decode())
        assert found is not None
        self.token = found[1]

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, body (read as JSON where it is), headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items() if name != "method"}
        request = urllib.request.Request(self.url + path, data, named, method=headers.get("method"))
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            raw = answer.read()
            is_json = answer.headers.get("Content-Type", "").startswith("application/json")
            return answer.status, json.loads(raw) if is_json else raw, answer.headers

    def post(self, path: str, body: Any, kind: str = "application/json", **headers: str) -> tuple[int, Any, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(path, data, **{"X_Rushes_Token": self.token, "Content_Type": kind, **headers})

    def order(self, **values: Any) -> tuple[int, Any]:
        return self.post("/api/orders", {"mode": "text", "kind": "picture", "prompt": "p", **values})[:2]

    def upload(self, path: Path) -> str:
        status, said, _ = self.post("/api/given", path.read_bytes(), UPLOAD)
        assert status == 200, said
        return str(said["id"])

    def made(self, num: int) -> list[dict[str, Any]]:
        """Wait until so many results are there; give them, the newest first."""
        until = time.monotonic() + WAIT_S
        while (line := self.ask("/api/line")[1])["num_results"] < num:
            assert not any(one["message"] for one in line["orders"]), line
            assert time.monotonic() < until, line
            time.sleep(0.02)
        return list(self.ask("/api/history")[1]["entries"])


@pytest.fixture
def client(start_studio: Callable[..., Any], tmp_path: Path) -> Client:
    return Client(start_studio(tmp_path / "studio").url)


@pytest.fixture
def idle(start_studio: Callable[..., Any], tmp_path: Path) -> Client:
    """A studio whose worker does not work, so that everything waits."""
    return Client(start_studio(tmp_path / "studio", works=False).url)


def test_an_order_is_made_and_everything_of_it_can_be_had(client: Client, tmp_path: Path) -> None:
    status, said = client.order(kind="video", size="48x40", seconds="0.5", seed="7", results="2")
    assert (status, len(said["ids"])) == (200, 2)
    first, second = client.made(2)
    assert [first["id"], second["id"]] == said["ids"]
    assert (first["record"]["seed"], second["record"]["seed"]) == (7, 8)
    assert first["notes"] == ["48x40 is not on the model's grid: 48x48 is made and cut to it"]
    name = first["id"]
    status, video, headers = client.ask(f"/made/{name}?download")
    assert (status, headers["Content-Type"]) == (200, "video/mp4")
    assert headers["Content-Disposition"] == f'attachment; filename="{name}.mp4"'
    (tmp_path / "had.mp4").write_bytes(video)
    assert read_record(tmp_path / "had.mp4") == first["record"]
    status, part, headers = client.ask(f"/made/{name}", Range="bytes=0-99")
    assert (status, part, headers["Content-Disposition"]) == (206, video[:100], None)
    assert client.ask(f"/made/{name}.jpg")[1][:2] == b"\xff\xd8"
    assert client.ask(f"/made/{name}/record")[1]["record"] == first["record"]
    assert client.ask(f"/made/{name}/draft/1")[0] == 404
    about = client.ask(f"/api/made/{name}")[1]
    assert about == {"id": f"made/{name}", "is_image": False, "width": 48, "height": 40, "seconds": 0.5}
    assert main(["verify", str(tmp_path / "had.mp4")]) == 0


def test_uploads_and_results_are_gone_on_from(client: Client, picture: Path, video: Path) -> None:
    still, moving = client.upload(picture), client.upload(video)
    assert client.ask(f"/api/{still}")[1]["is_image"] is True
    assert client.ask(f"/{moving}.jpg")[1][:2] == b"\xff\xd8"
    status, said = client.order(mode="image", reference=still, size="40x32")
    assert (status, said["notes"]) == (200, ["the reference is 96x48 and is cut at its edges (fit: crop) to 40x32"])
    (began,) = client.made(1)
    assert (began["suffix"], began["record"]["mode"], began["record"]["num_frames"]) == (".mp4", "image", 8)
    assert client.order(mode="connect", reference=f"made/{began['id']}", second=moving)[0] == 200
    assert client.order(mode="edit", reference=still, strength=0.5)[0] == 200
    edited, connected, _ = client.made(3)
    assert (edited["suffix"], edited["record"]["width"]) == (".png", 96)
    assert connected["record"]["mode"] == "connect"
    assert [one["sha256"] for one in connected["record"]["given"]][1][:32] == moving.removeprefix("given/")


def test_shots_are_one_video_with_the_prompts_of_all(client: Client) -> None:
    written = {**SHOT, "prompt": "a ball rolls far", "as_written": "it rolls", "cut": True}
    status, said = client.order(**{**SHOTS, "prompt": "a ball", "shots": [{**SHOT, "seconds": "0,75"}, written]})
    assert (status, said["field"]) == (422, "shots.0.seconds")
    shots = {**SHOTS, "prompt": "a ball", "shots": [{**SHOT, "seconds": 0.75}, written]}
    assert client.order(**shots, size="32x32", draft=True)[0] == 200
    (made,) = client.made(1)
    record = made["record"]
    assert (record["mode"], record["num_frames"], record["prompt"]) == ("shots", 10, "a ball")
    assert record["shots"] == [
        {"prompt": "a ball it rolls", "num_frames": 6, "is_cut": False},
        {"prompt": "a ball rolls far", "num_frames": 4, "is_cut": True},
    ]
    assert record["prompt_as_written"] == "a ball it rolls a ball it rolls"
    assert made["form"]["shots"][1] == {**written, "seconds": 0.5}
    assert made["num_drafts"] == 2


def test_a_prompt_is_written_out_and_both_are_recorded(
    start_studio: Callable[..., Any], talking_config: SampleConfig, talker: Any, tmp_path: Path
) -> None:
    client = Client(start_studio(tmp_path / "studio", config=talking_config).url)
    status, said, _ = client.post("/api/expansions", {"prompt": "a red ball"})
    longer = "a red ball, over wet sand at dawn. The camera stands still."
    assert (status, said) == (200, {"prompts": [{"prompt": longer, "is_longer": True, "why": ""}]})
    talker.answers["a ball stands"] = "It stands."
    status, said, _ = client.post("/api/expansions", {"prompt": "a ball", "shots": ["rolls", "stands"]})
    assert [(one["is_longer"], one["why"]) for one in said["prompts"]] == [
        (True, ""),
        (False, "the longer one lacked ball"),
    ]
    assert client.order(prompt=f"{longer} It is wet.", as_written="a red ball")[0] == 200
    (made,) = client.made(1)
    assert made["record"]["prompt"] == f"{longer} It is wet."
    assert made["record"]["prompt_as_written"] == made["form"]["as_written"] == "a red ball"
    for wrong, field in (
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a gory beheading"}, "prompt"),
        ({"prompt": "a", "shots": ["b", "a gory beheading"]}, "shots.1.prompt"),
        ({"prompt": "a", "shots": ["b"] * 33}, "shots"),
        ({"prompt": "a", "shots": "b"}, "shots"),
        ({"prompt": "x" * 100_000}, "prompt"),
        ({}, "prompt"),
    ):
        status, said, _ = client.post("/api/expansions", wrong)
        assert (status, said["field"]) == (422, field), wrong
    assert talker.asked == ["a red ball", "a ball rolls", "a ball stands"]


def test_prompts_are_written_out_one_at_a_time_and_few_may_wait(
    start_studio: Callable[..., Any], talking_config: SampleConfig, talker: Any, tmp_path: Path
) -> None:
    client = Client(start_studio(tmp_path / "studio", works=False, config=talking_config).url)
    talker.may_answer.clear()
    said: list[int] = []
    asking = [
        threading.Thread(target=lambda: said.append(client.post("/api/expansions", {"prompt": "a ball"})[0]))
        for _ in range(MAX_WAITING + 2)
    ]
    for thread in asking:
        thread.start()
    until = time.monotonic() + WAIT_S
    while len(said) < 2 or not talker.asked:
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.2)
    assert (said, talker.asked) == ([429, 429], ["a ball"])
    # Others are answered meanwhile.
    assert client.order()[0] == 200
    talker.may_answer.set()
    for thread in asking:
        thread.join(WAIT_S)
    assert said == [429, 429] + [200] * MAX_WAITING


def test_without_a_model_nothing_writes_prompts_out(idle: Client) -> None:
    assert idle.post("/api/expansions", {"prompt": "a ball"})[0] == 404
    assert b"Write out" not in re.sub(rb"<script>.*</script>", b"", idle.ask("/")[1], flags=re.S)


def test_what_waits_has_a_place_and_can_be_cancelled(idle: Client) -> None:
    names = [idle.order(seed=k)[1]["ids"][0] for k in range(3)]
    assert [one["place"] for one in idle.ask("/api/line")[1]["orders"]] == [1, 2, 3]
    status, line, _ = idle.post(f"/api/orders/{names[0]}/cancel", {})
    assert status == 200
    assert [(one["state"], one["place"]) for one in line["orders"]] == [
        ("cancelled", 0),
        ("waiting", 1),
        ("waiting", 2),
    ]
    assert idle.post(f"/api/orders/{names[0]}/cancel", {})[0] == 409
    assert idle.post("/api/orders/20260101-000000-00000000/cancel", {})[0] == 409


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        pytest.param({"prompt": " "}, "prompt", "the prompt is empty", id="no prompt"),
        pytest.param({"prompt": "a gory beheading"}, "prompt", "the prompt is refused by the policy", id="policy"),
        pytest.param({"prompt": "x" * 100_000}, "prompt", "the prompt has 100,000 bytes", id="long prompt"),
        pytest.param({"size": "8x8"}, "size", "sides lie in 16 to 4096 pixels", id="too small"),
        pytest.param({"size": "x8"}, "size", "size is WIDTHxHEIGHT in pixels", id="no size"),
        pytest.param({"size": "41x32", "kind": "video"}, "size", "an MP4 has even sides", id="odd"),
        pytest.param({"size": "4096x4096", "seconds": 60, "kind": "video"}, "size", "cannot hold", id="too much"),
        pytest.param({"seconds": "61", "kind": "video"}, "seconds", "seconds lies in 0 to 60", id="too long"),
        pytest.param({"seconds": "nan", "kind": "video"}, "seconds", "seconds lies in 0 to 60", id="no number"),
        pytest.param({"seed": "-1"}, "seed", "the seed lies in 0 to", id="seed"),
        pytest.param({"seed": str(2**63 - 1), "results": 2}, "seed", "the seed lies in 0 to", id="the last seed"),
        pytest.param({"variation": 2}, "variation", "the variation lies in [0, 1]", id="variation"),
        pytest.param({"results": 17}, "results", "results: input should be less than", id="results"),
        pytest.param({"mode": "extend", "reference": "given/" + "a" * 32}, "reference", "no longer there", id="gone"),
        pytest.param({"mode": "extend", "reference": "/etc/passwd"}, "reference", "no longer there", id="a path"),
        pytest.param({"out": "/tmp/x.png"}, "out", "out: extra inputs", id="another field"),
        pytest.param({"as_written": " "}, "prompt", "the prompt is empty", id="nothing as written"),
        pytest.param({"as_written": "a gory beheading"}, "prompt", "refused by the policy", id="policy as written"),
        pytest.param(
            {"prompt": "a gory beheading", "as_written": "a"}, "prompt", "refused by", id="policy written out"
        ),
        pytest.param(
            {**SHOTS, "prompt": ""}, "shots.1.prompt", "shot 2: the prompt is empty", id="no prompt of a shot"
        ),
        pytest.param(
            {**SHOTS, "shots": [SHOT, {**SHOT, "prompt": "a gory beheading"}]},
            "shots.1.prompt",
            "shot 2: the prompt is refused by the policy",
            id="policy of a shot",
        ),
        pytest.param(
            {**SHOTS, "shots": [SHOT, {**SHOT, "prompt": " ", "as_written": "a"}]},
            "shots.1.prompt",
            "shot 2: the prompt is empty",
            id="a shot written out as nothing",
        ),
        pytest.param(
            {**SHOTS, "shots": [{**SHOT, "seconds": 1.7e308}]}, "shots.0.seconds", "in 0 to 60", id="a shot without end"
        ),
        pytest.param({**SHOTS, "shots": [SHOT] * 31 + [{**SHOT, "seconds": 45}]}, "shots", "max_seconds", id="long"),
        pytest.param({**SHOTS, "shots": []}, "shots", "there is no shot", id="no shot"),
        pytest.param({**SHOTS, "shots": [SHOT] * 1000}, "shots", "at most 32 items", id="too many shots"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_field(
    idle: Client, values: dict[str, Any], field: str, sentence: str
) -> None:
    status, said = idle.order(**values)
    assert (status, said["field"]) == (422, field), said
    assert sentence in said["error"]
    assert idle.ask("/api/line")[1]["orders"] == []


def test_what_an_upload_must_be(idle: Client, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said, _ = idle.post("/api/given", b"<svg onload=alert(1)>", UPLOAD)
    assert (status, said["field"]) == (422, "reference")
    assert str(tmp_path) not in said["error"]
    assert idle.post("/api/given", b"{}")[0] == 415
    monkeypatch.setattr(app, "MAX_UPLOAD_BYTES", 1000)
    assert idle.post("/api/given", b"x" * 2000, UPLOAD)[0] == 413
    assert list((tmp_path / "studio" / "given").iterdir()) == []
    monkeypatch.undo()
    region = {"mode": "inpaint", "reference": idle.upload(video), "kind": "video"}
    assert idle.order(**region)[1]["field"] == "region"
    assert idle.order(**region, region="30,0,16x16")[1] == {
        "error": "the region 30,0,16x16 is empty or reaches beyond the 40x32 clip",
        "field": "region",
    }
    assert idle.order(**region, region="1,2,3x4@0-1")[0] == 200


def test_an_upload_that_is_cut_short_leaves_nothing(idle: Client, tmp_path: Path) -> None:
    import socket

    host, _, port = idle.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /api/given HTTP/1.1\r\nHost: {host}:{port}\r\nX-Rushes-Token: {idle.token}\r\n"
        connection.sendall(f"{head}Content-Type: {UPLOAD}\r\nContent-Length: 999\r\n\r\nhalf".encode())
        until = time.monotonic() + WAIT_S
        while not list((tmp_path / "studio" / "given").iterdir()) and time.monotonic() < until:
            time.sleep(0.01)
    while list((tmp_path / "studio" / "given").iterdir()):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    "path",
    [
        "/made/../sample.yaml",
        "/made/..%2f..%2fetc%2fpasswd",
        "/made/20260101-000000-00000000",
        "/made/20260101-000000-00000000.jpg",
        "/made/20260101-000000-00000000/record",
        "/made/20260101-000000-00000000.mp4",
        "/given/" + "a" * 32 + ".jpg",
        "/given/..%2fx.jpg",
        "/api/given/" + "A" * 32,
        "/api/made/x",
        "//etc/passwd",
    ],
)
def test_what_there_is_not_is_not_found(idle: Client, path: str) -> None:
    assert idle.ask(path)[0] == 404


def test_only_the_page_itself_may_ask(idle: Client) -> None:
    form = {"mode": "text", "prompt": "p"}
    for path, body, kind in (
        ("/api/orders", form, "application/json"),
        ("/api/given", b"x", UPLOAD),
        ("/api/expansions", {"prompt": "p"}, "application/json"),
        ("/api/orders/20260101-000000-00000000/cancel", {}, "application/json"),
    ):
        for headers in (
            {"X_Rushes_Token": "wrong"},
            {"Host": "evil.example"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
        ):
            assert idle.post(path, body, kind, **headers)[0] == 403, (path, headers)
        for simple in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
            assert idle.post(path, body, simple)[0] == 415, (path, simple)
    for path in ("/api/line", "/api/history", "/nowhere"):
        assert idle.ask(path, Host="evil.example")[0] == 403
        assert idle.ask(path, Sec_Fetch_Site="cross-site")[0] == 403
    for method in ("PUT", "PATCH", "DELETE"):
        assert idle.post("/api/orders", form, method=method)[0] == 405
    assert idle.ask("/api/line")[1]["orders"] == []


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[" * 5000, 400), ([], 422), (b"\xff", 400)])
def test_what_is_no_form_is_refused(idle: Client, body: Any, status: int) -> None:
    assert idle.post("/api/orders", body)[0] == status


def test_the_page_carries_all_it_needs_and_may_do_nothing_else(idle: Client) -> None:
    status, page, headers = idle.ask("/")
    policy = headers["Content-Security-Policy"]
    assert status == 200
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert not re.search(rb"(?:src|href)=[\"'](?:https?:)?//", page)


def test_history_comes_in_pages(idle: Client, start_studio: Callable[..., Any], tmp_path: Path) -> None:
    record = {"width": 8, "height": 8, "num_frames": 1, "frame_rate": [8, 1]}
    folder = tmp_path / "older"
    folder.mkdir()
    for k in range(30):
        name, of = (f"20260101-0000{number:02}-{number:08x}" for number in (k, 5 if 5 <= k < 10 else k))
        values = {"id": name, "set_id": of, "number": k, "suffix": ".png", "form": {}, "record": record}
        (folder / f"{name}.json").write_text(json.dumps(values))
        (folder / f"{name}.png").write_bytes(b"")
    (folder / "hostile.json").write_text("{")
    client = Client(start_studio(folder, works=False).url)
    first = client.ask("/api/history")[1]
    # 20 alone and a set of 5.
    assert (len(first["entries"]), first["has_more"]) == (25, True)
    rest = client.ask(f"/api/history?before={first['entries'][-1]['set_id']}")[1]
    assert (len(rest["entries"]), rest["has_more"]) == (5, False)
    assert b"1 record in the folder cannot be read" in client.ask("/")[1]


def test_a_port_in_use_and_a_folder_that_cannot_be_are_one_sentence(
    idle: Client, studio_config: SampleConfig, tmp_path: Path
) -> None:
    port = int(idle.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"--serve: 127.0.0.1:{port} cannot be listened on"):
        serve(studio_config, folder=tmp_path / "other", host="127.0.0.1", port=port, say=print)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        serve(studio_config, folder=tmp_path / "file" / "x", host="127.0.0.1", port=0, say=print)
