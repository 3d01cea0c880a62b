from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from captioner import CaptionConfig, CaptionVideos, ExtractMerger, ModelMerger, VideoParts, find_prompt, make_engine
from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest, Feed
from captioner.prompt import Prompt
from captioner.video_captions import Merger
from pipeline.manifest import to_table
from schemas import ConfigError, ErrorKind, MediaError, Resources, Result

Say = Callable[[CaptionRequest], str]


class Scripted:
    """An engine that says what a function of the request says; an empty text is an error."""

    model_id, digest = "scripted", "0" * 32

    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[CaptionRequest] = []

    def setup(self) -> None: ...

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        while (request := feed.take(wait=True)) is not None:
            self.asked.append(request)
            text = self.say(request)
            how = {"text": text} if text else {"finish": "error", "error": "too long"}
            yield CaptionReply(request_id=request.request_id, **how)  # type: ignore[arg-type]

    def close(self) -> None: ...


def first_and_last(request: CaptionRequest) -> str:
    lines = request.prompt.partition("\n\n")[2].splitlines()
    first, last = re.findall(r"\d+", lines[0])[0], re.findall(r"\d+", lines[-1])[-1]
    return f"First {first} and in the end {last}"


def config_of(**video: Any) -> CaptionConfig:
    return CaptionConfig.model_validate({"engine": {"max_model_len": 1024}, "video": {"max_tokens": 64, **video}})


def item_of(name: str, num_parts: int) -> VideoParts:
    listed = [[5.0 * k, 5.0 * k + 5, f"A small red circle moves past post number {k}"] for k in range(num_parts)]
    return VideoParts(name * 64, json.dumps(listed), num_parts, 0.1)


def stage_of(merger: Merger) -> CaptionVideos:
    return CaptionVideos(merger, "set", Resources())


def captioned(merger: Merger, *items: VideoParts) -> list[Result]:
    """A result for each, with its parts, in the order of the items."""
    stage = pickle.loads(pickle.dumps(stage_of(merger))) if isinstance(merger, ExtractMerger) else stage_of(merger)
    stage.setup()
    results = {result.input_id: result for result in stage([stage.load(item.to_row()) for item in items])}
    stage.close()
    assert sorted(results) == sorted(item.video_id for item in items)
    for item in items:
        rows = results[item.video_id].rows.get("video_captions", ())
        assert len(rows) == (1 if item.num_parts else 0)
        assert to_table("video_captions", rows).num_rows == len(rows)
        for row in rows:
            told = [[part["start_s"], part["end_s"], part["text"]] for part in row["parts"]]  # type: ignore[attr-defined]
            assert told == json.loads(item.listed)
            assert row["caption_set"] == "set"
    return [results[item.video_id] for item in items]


def row(result: Result) -> dict[str, Any]:
    (found,) = result.rows["video_captions"]
    return dict(found)


def test_without_a_model_the_text_is_made_of_sentences_of_the_captions_with_their_times() -> None:
    long, single, none = captioned(
        ExtractMerger(config_of(max_words=20)), item_of("a", 9), item_of("b", 1), item_of("c", 0)
    )
    told = row(long)
    assert told["text"].startswith("[0:00:00] A small red circle moves past post number 0 [0:00:05] ")
    assert (told["outcome"], told["merge"], told["model_id"], told["flags"]) == ("success", "extract", None, [])
    assert row(single)["text"] == "A small red circle moves past post number 0"
    assert none.error is None


@pytest.mark.parametrize("num_parts", [1, 2, 3, 30, 400])
def test_a_model_merges_level_by_level_and_keeps_the_order(num_parts: int) -> None:
    engine = Scripted(first_and_last)
    config = config_of()
    items = [item_of("a", num_parts), item_of("b", 2)]
    result, _ = captioned(ModelMerger(config, engine, find_prompt("merge")), *items)
    last = num_parts - 1
    expected = f"First 0 and in the end {last}" if last else "A small red circle moves past post number 0"
    told = row(result)
    assert told["text"] == expected
    assert (told["outcome"], told["merge"], told["model_id"]) == ("success", "model", "scripted")
    room = (config.engine.max_model_len - config.video.max_tokens) * config.video.bytes_a_token
    for request in engine.asked:
        assert request.window is None
        assert len(request.prompt.encode()) < room
        assert request.max_tokens == 64
    assert len({request.request_id for request in engine.asked}) == len(engine.asked)
    # Not a line more than half as often again.
    lines = [line for request in engine.asked for line in request.prompt.partition("\n\n")[2].splitlines()]
    assert len(lines) <= 1.5 * (num_parts + 2)


def test_a_summary_that_fails_the_checks_is_asked_for_again_and_refused_in_the_end() -> None:
    tries: list[str] = []

    def say(request: CaptionRequest) -> str:
        if "number 0" in request.prompt and request.request_id.startswith("a"):
            tries.append(request.request_id)
            return "I'm sorry, I can't help with that video at all"
        if request.request_id.endswith("#0"):
            return "Sorry <b>no</b>, four words"
        return first_and_last(request)

    engine = Scripted(say)
    bad, mended = captioned(ModelMerger(config_of(), engine, find_prompt("merge")), item_of("a", 9), item_of("b", 9))
    assert row(bad)["outcome"] == "refused"
    assert row(bad)["flags"] == ["refusal"]
    assert len(set(tries)) == len(tries) == 3
    assert (row(mended)["outcome"], row(mended)["text"]) == ("success", "First 0 and in the end 8")
    assert bad.error is mended.error is None
    assert {request.temperature for request in engine.asked} == {0.0, 0.7}


def test_an_engine_that_gives_no_answer_costs_one_video_its_text_and_not_its_parts() -> None:
    def say(request: CaptionRequest) -> str:
        return "" if request.request_id.startswith("a") else first_and_last(request)

    engine = Scripted(say)
    lost, other = captioned(ModelMerger(config_of(), engine, find_prompt("merge")), item_of("a", 400), item_of("b", 9))
    assert (row(lost)["text"], row(lost)["outcome"], row(lost)["flags"]) == (None, "error", ["engine"])
    assert lost.error is not None
    assert (lost.error.kind, str(lost.error)) == (ErrorKind.engine, "too long")
    assert row(other)["outcome"] == "success"


def test_a_video_that_a_worker_could_not_do_keeps_its_parts() -> None:
    result = stage_of(ExtractMerger(config_of())).failed(item_of("a", 3), MediaError(ErrorKind.worker_crash, "died"))
    assert (row(result)["outcome"], row(result)["text"], len(row(result)["parts"])) == ("error", None, 3)
    assert result.error is not None


def test_a_prompt_without_a_place_and_a_context_without_room_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"caption\.video\.prompt: mine: has no place \{captions\}"):
        ModelMerger(config_of(), Scripted(first_and_last), Prompt("mine", "Say it."))
    with pytest.raises(ConfigError, match=r"1024 tokens leave no room for captions beside .*max_tokens 600"):
        ModelMerger(config_of(max_tokens=600), Scripted(first_and_last), find_prompt("merge"))


def test_captions_cannot_change_what_is_asked() -> None:
    engine = Scripted(lambda request: "Two words and two more")
    listed = [[0.0, 1.0, "A sign reads {captions} and {words}"], [1.0, 2.0, "A second one"]]
    captioned(ModelMerger(config_of(), engine, find_prompt("merge")), VideoParts("a" * 64, json.dumps(listed), 2, 0.1))
    (request,) = engine.asked
    assert request.prompt.endswith("\n\nA sign reads {captions} and {words}\nA second one")
    assert "at most 300 words" in request.prompt


def test_what_a_real_model_is_asked_of_an_hour_fits_into_its_context(tiny_model: Path) -> None:
    """Its random weights say nothing of sense, and end where their tokens do, which is found."""
    engine = {"kind": "transformers", "model": str(tiny_model), "max_model_len": 1024, "max_num_seqs": 8}
    video = {"merge": "model", "max_tokens": 16, "bytes_a_token": 1.0}
    config = CaptionConfig.model_validate({"engine": engine, "video": video, "max_tries": 1})
    heard = Heard(make_engine(config.engine))
    (result,) = captioned(ModelMerger(config, heard, find_prompt("merge")), item_of("a", 720))
    assert len(heard.replies) > 30
    assert {reply.error for reply in heard.replies} == {""}
    assert all(400 < (reply.num_prompt_tokens or 0) < 1024 - 16 for reply in heard.replies[:-1])
    assert result.error is None
    assert row(result)["outcome"] in ("truncated", "refused")


class Heard:
    """A real engine whose replies are kept."""

    def __init__(self, engine: CaptionEngine) -> None:
        self.engine = engine
        self.model_id, self.digest = engine.model_id, engine.digest
        self.setup, self.close = engine.setup, engine.close
        self.replies: list[CaptionReply] = []

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        for reply in self.engine.generate(feed):
            self.replies.append(reply)
            yield reply
