from __future__ import annotations

import itertools
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

from captioner.prompt import FOLDER
from infra.cli import main
from infra.config import RunConfig
from infra.demo.tiny import tiny_film
from infra.steps import run_steps_of
from pipeline import dag
from pipeline.dag import InputStep
from schemas import ConfigError

pytest.importorskip("torch")
pytest.importorskip("transformers")

# vLLM and transformers still use what is deprecated elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:max_rollback_tokens is deprecated:DeprecationWarning")

OVERRIDES = (
    *("scan.min_clip_s=0.4", "scan.max_clip_s=1.0", "max_error_share=1", "select.preset=null"),
    *("caption.engine.kind=transformers", "caption.engine.max_model_len=2048"),
    *("caption.frames.num_frames=2", "caption.frames.max_pixels=3136", "caption.max_tokens=256"),
    *("caption.checks.min_words=0", "caption.checks.max_repeat_ratio=1", "caption.max_tries=1"),
)


def config_of(dataset: Path, **caption: Any) -> RunConfig:
    return RunConfig.model_validate({"dataset": str(dataset), "caption": caption})


def steps_of(config: RunConfig) -> dict[str, InputStep]:
    steps = {step.name: step for step in dag.order(run_steps_of(config))}
    assert list(steps)[-2:] == ["caption", "video_caption"] or "caption" in steps
    return {name: step for name, step in steps.items() if isinstance(step, InputStep)}


def test_without_a_model_both_steps_are_planned_and_not_run(tmp_path: Path) -> None:
    steps = steps_of(config_of(tmp_path))
    for name in ("caption", "video_caption"):
        assert steps[name].missing == "needs caption.engine.model"
        assert steps[name].models == {}


def test_a_model_that_is_not_there_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"caption\.engine\.model: .*nowhere: there is no such folder"):
        run_steps_of(config_of(tmp_path, engine={"model": str(tmp_path / "nowhere")}))
    with pytest.raises(
        ConfigError,
        match=r"caption\.prompt: there is no prompt 'strutured' and no such file; did you mean 'structured'",
    ):
        run_steps_of(config_of(tmp_path, prompt="strutured"))
    with pytest.raises(
        ConfigError, match=r"caption\.video\.prompt: there is no prompt 'merg' and no such file; did you mean 'merge'"
    ):
        run_steps_of(config_of(tmp_path, video={"merge": "model", "prompt": "merg"}))


class Item:
    upstream = "u"


def keys(config: RunConfig) -> tuple[str, str]:
    """The keys of a unit of both steps."""
    steps = steps_of(config)
    first, second = (steps[name].parts(Item()).unit_key for name in ("caption", "video_caption"))
    return first, second


@pytest.mark.parametrize(
    ("changed", "is_stale"),
    [
        pytest.param({}, (False, False), id="nothing"),
        pytest.param({"readers": 5}, (False, False), id="how many decoders"),
        pytest.param({"engine": {"max_num_seqs": 3}}, (False, False), id="how many at once"),
        pytest.param({"prompt": "short"}, (True, True), id="the prompt"),
        pytest.param({"frames": {"num_frames": 3}}, (True, True), id="the frames"),
        pytest.param({"video": {"merge": "model"}}, (False, True), id="how videos are captioned"),
        pytest.param({"video": {"max_words": 30}}, (False, True), id="how long a video's caption is"),
        pytest.param({"video": {"max_tokens": 30}}, (False, False), id="what extracting does not read"),
        pytest.param({"temperature": 0.5}, (True, False), id="how words are drawn: the captions tell"),
    ],
)
def test_what_a_change_makes_stale(
    tmp_path: Path, terse_captioner: Path, changed: dict[str, Any], is_stale: tuple[bool, bool]
) -> None:
    engine = {"kind": "transformers", "model": str(terse_captioner)}
    before = keys(config_of(tmp_path, engine=engine))
    after = keys(config_of(tmp_path, **{**changed, "engine": {**engine, **changed.get("engine", {})}}))
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == is_stale


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    tiny_film(folder / "a.mp4", seed=1)
    tiny_film(folder / "b.mp4", cuts=(30,), seed=2)
    return folder


Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def command(footage: Path, terse_captioner: Path) -> Command:
    def made(verb: str, dataset: Path, *more: str) -> list[str]:
        where = ["--input", str(footage), "--dataset", str(dataset), "--until", "video_caption"]
        how = ["--executor", "local", f"caption.engine.model={terse_captioner}"]
        return [verb, *where, *how, *OVERRIDES, *more]

    return made


@pytest.fixture(scope="module")
def dataset(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = tmp_path_factory.mktemp("dataset") / "ds"
    assert main(command("run", dataset)) == 0
    return dataset


def table(dataset: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(dataset / "manifest" / name)


def plan(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return {stage["stage"]: stage for stage in json.loads(capsys.readouterr().out)}


def test_every_kept_clip_and_every_video_has_its_captions(dataset: Path) -> None:
    kept = table(dataset, "selection").query("kept")
    captions, videos = table(dataset, "captions"), table(dataset, "video_captions")
    assert len(kept) >= 5
    assert sorted(zip(captions["clip_id"], captions["kind"], strict=True)) == sorted(
        (clip_id, kind) for clip_id in kept["clip_id"] for kind in ("structured", "dense", "short", "camera")
    )
    assert set(captions["outcome"]) == {"success"}
    dense = captions.query("kind == 'dense'").set_index("clip_id")["text"]
    assert dense.nunique() > 1
    clips = table(dataset, "clips").set_index("clip_id").loc[kept["clip_id"]].sort_values("start_s")
    assert set(videos["video_id"]) == set(kept["video_id"])
    for _, video in videos.iterrows():
        own = clips[clips["video_id"] == video["video_id"]]
        told = [(part["start_s"], part["end_s"], part["text"]) for part in video["parts"]]
        assert told == list(zip(own["start_s"], own["end_s"], dense.loc[own.index], strict=True))
        assert (video["outcome"], video["merge"]) == ("success", "extract")
        assert video["text"].startswith("[0:00:00] ")


def test_a_second_run_has_nothing_to_do(dataset: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    for name, stage in plan(command("plan", dataset), capsys).items():
        assert stage.get("todo", 0) == 0, name
        assert stage.get("stale", {}) == {}, name


def test_another_way_to_caption_videos_leaves_the_clips_alone(
    dataset: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = plan(command("plan", dataset, "caption.video.kind=short"), capsys)
    assert planned["video_caption"]["stale"] or planned["video_caption"]["todo"]


def test_another_prompt_adds_a_set_and_makes_nothing_stale_but_what_reads_captions(
    dataset: Path, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text((FOLDER / "structured.md").read_text() + "\nBe brief.\n")
    before = {name: table(dataset, name) for name in ("captions", "video_captions", "ledger", "selection", "clips")}
    again = f"caption.prompt={mine}"
    planned = plan(command("plan", dataset, again), capsys)
    stale = {name: stage["stale"] for name, stage in planned.items() if stage.get("stale")}
    assert stale == {"caption": {"config changed": 2}}
    assert [name for name, stage in planned.items() if stage.get("todo")] == []
    assert main(command("run", dataset, again)) == 0
    for name in ("captions", "video_captions"):
        after, old = table(dataset, name), before[name]
        (first,) = old["caption_set"].unique()
        assert len(after) == 2 * len(old)
        assert after["caption_set"].nunique() == 2
        columns = ["text", "outcome", *(["clip_id", "kind"] if name == "captions" else ["video_id"])]
        kept = after[after["caption_set"] == first]
        assert sorted(map(repr, kept[columns].itertuples(index=False))) == sorted(
            map(repr, old[columns].itertuples(index=False))
        )
    for name in ("selection", "clips"):
        assert sorted(map(repr, table(dataset, name).itertuples(index=False))) == sorted(
            map(repr, before[name].itertuples(index=False))
        )
    runs = table(dataset, "ledger").groupby("stage")["run_id"].unique().map(set)
    (first_run,) = before["ledger"]["run_id"].unique()
    redone = {stage for stage, run_ids in runs.items() if run_ids != {first_run}}
    assert redone == {"caption", "video_caption"}
    assert all(stage.get("todo", 0) == 0 for stage in plan(command("plan", dataset, again), capsys).values())


CAPTION = {
    "subject": "A red circle",
    "attributes": [],
    "action": "Moves to the left",
    "setting": "A tiled floor",
    "camera": "static",
    "lighting": "",
    "style": "",
    "text": "",
}
KEY = "sk-very-secret-0123456789"


class Handler(BaseHTTPRequestHandler):
    """Says the same of everything, to those who have the key, and that it is busy every third time."""

    keys: ClassVar[set[str | None]] = set()
    count: ClassVar[Iterator[int]] = itertools.count()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.add(self.headers["Authorization"])
        choice = {"message": {"content": json.dumps(CAPTION)}, "finish_reason": "stop"}
        body = json.dumps({"choices": [choice]}).encode()
        self.send_response(401 if self.headers["Authorization"] is None else 200 if next(self.count) % 3 else 429)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}/v1"
        one.shutdown()
        thread.join()


@pytest.mark.parametrize("key", [KEY, None])
def test_a_servers_key_is_used_and_kept_nowhere(
    footage: Path,
    dataset: Path,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    key: str | None,
) -> None:
    if key is None:
        monkeypatch.delenv("RUSHES_TEST_KEY", raising=False)
    else:
        monkeypatch.setenv("RUSHES_TEST_KEY", key)
    Handler.keys.clear()
    shutil.copytree(dataset, tmp_path / "ds")
    where = ["--input", str(footage), "--dataset", str(tmp_path / "ds"), "--until", "video_caption"]
    engine = ["caption.engine.kind=http", f"caption.engine.url={server}", "caption.engine.model=somebody"]
    mine = [value for value in OVERRIDES if "engine.kind" not in value]
    command = [*where, "--executor", "local", *mine, *engine, "caption.engine.key_variable=RUSHES_TEST_KEY"]
    assert main(["run", *command]) == 0
    assert Handler.keys == {f"Bearer {key}" if key else None}
    captions = table(tmp_path / "ds", "captions").query("model_id == 'somebody'")
    assert set(captions["outcome"]) == {"success" if key else "error"}
    kept = [path for path in (tmp_path / "ds").rglob("*") if path.is_file()]
    assert len(kept) > 10
    assert not any(KEY.encode() in path.read_bytes() for path in kept)
    told = "".join(capfd.readouterr())
    assert KEY not in told + captions.to_csv() + table(tmp_path / "ds", "ledger").to_csv()
    if key is None:
        errors = table(tmp_path / "ds", "ledger").query("stage == 'caption'")["error"]
        assert len(errors) == 2
        assert all("the key in $RUSHES_TEST_KEY is missing" in error for error in errors)
