from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from captioner import make_engine, missing
from captioner.config import EngineConfig
from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest, ListFeed
from captioner.transformers_engine import TransformersEngine
from captioner.vllm_engine import VllmEngine
from schemas import ConfigError

pytest.importorskip("torch")
pytest.importorskip("transformers")

# vLLM still gives xgrammar an argument that does nothing any more, in a thread of its own.
pytestmark = pytest.mark.filterwarnings("ignore:max_rollback_tokens is deprecated:DeprecationWarning")

MAX_MODEL_LEN = 384
COLOURS = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green", "blue"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "word": {"type": "string", "maxLength": 8},
    },
    "required": ["colour", "count", "word"],
    "additionalProperties": False,
}


def config_of(kind: str, model: Path) -> EngineConfig:
    return EngineConfig(kind=kind, model=str(model), max_model_len=MAX_MODEL_LEN, max_num_seqs=4)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engines(tiny_model: Path) -> Iterator[dict[str, CaptionEngine]]:
    """Both, set up once for the whole module."""
    pytest.importorskip("vllm")
    made = {kind: make_engine(config_of(kind, tiny_model)) for kind in ("transformers", "vllm")}
    for engine in made.values():
        engine.setup()
    yield made
    for engine in made.values():
        engine.close()


KINDS = pytest.mark.parametrize("kind", ["transformers", "vllm"])


def answers(engine: CaptionEngine, requests: Sequence[CaptionRequest]) -> dict[str, CaptionReply]:
    """Replies by id; exactly one each."""
    replies = list(engine.generate(ListFeed(list(requests))))
    assert sorted(reply.request_id for reply in replies) == sorted(request.request_id for request in requests)
    return {reply.request_id: reply for reply in replies}


@pytest.fixture(scope="module")
def questions(make_window: Callable[..., Any]) -> list[CaptionRequest]:
    windows = {
        "4 frames": make_window(4, 84, 56),
        "8 frames, upright": make_window(8, 56, 112, seed=1),
        "2 frames": make_window(2, 112, 84, seed=2),
        "5 frames": make_window(5, 56, 56, seed=3),
        "7 frames, upright": make_window(7, 56, 84, seed=7),
        "10 frames, odd rate": make_window(10, 56, 56, seed=8, rate=2.4),
        "same size, other pictures": make_window(4, 84, 56, seed=4),
        "still picture": make_window(1, 84, 84, seed=5),
        "another still picture": make_window(1, 56, 84, seed=6),
        "text alone": None,
    }
    free = [
        CaptionRequest(request_id=name, prompt="Describe it in one sentence.", window=window, max_tokens=24)
        for name, window in windows.items()
    ]
    guided = [
        CaptionRequest(
            request_id=f"{name}, JSON", prompt="Say it.", window=windows[name], max_tokens=60, schema=COLOURS
        )
        for name in ("4 frames", "5 frames", "still picture", "text alone")
    ]
    longer = CaptionRequest(request_id="longer", prompt="A red circle. " * 9, window=windows["2 frames"], max_tokens=9)
    forced = CaptionRequest(request_id="forced", prompt="Say it.", max_tokens=40, min_tokens=40)
    return [*free, *guided, longer, forced]


@pytest.fixture(scope="module")
def said(engines: dict[str, CaptionEngine], questions: list[CaptionRequest]) -> dict[str, dict[str, CaptionReply]]:
    return {kind: answers(engine, questions) for kind, engine in engines.items()}


def test_both_give_the_same_words_and_count_the_same_tokens(said: dict[str, dict[str, CaptionReply]]) -> None:
    ours, theirs = said["transformers"], said["vllm"]
    assert ours == theirs
    assert all(reply.text for reply in ours.values())
    # They look at what they are shown.
    assert ours["4 frames"].text != ours["same size, other pictures"].text
    assert ours["still picture"].text != ours["another still picture"].text
    assert len({reply.text for reply in ours.values()}) > len(ours) // 2


@KINDS
def test_an_answer_keeps_to_its_schema_and_to_its_number_of_tokens(
    said: dict[str, dict[str, CaptionReply]], kind: str
) -> None:
    for reply in said[kind].values():
        if reply.request_id.endswith("JSON"):
            value = json.loads(reply.text)
            assert reply.finish == "stop"
            assert list(value) == ["colour", "count", "word"]
            assert value["colour"] in ("red", "green", "blue")
        if reply.request_id == "forced":
            assert (reply.finish, reply.num_output_tokens) == ("length", 40)


@KINDS
def test_with_a_temperature_a_seed_decides(engines: dict[str, CaptionEngine], kind: str) -> None:
    def texts(seeds: Sequence[int]) -> list[str]:
        requests = [
            CaptionRequest(request_id=str(k), prompt="Say it.", max_tokens=24, temperature=1.5, seed=seed)
            for k, seed in enumerate(seeds)
        ]
        replies = answers(engines[kind], requests)
        return [replies[str(k)].text for k in range(len(seeds))]

    first, again, other = texts([1, 1, 2])
    assert first == again
    assert first != other
    # Also in other company.
    assert texts([7, 2, 1, 8])[1:3] == [other, first]


@KINDS
def test_a_prompt_that_is_too_long_costs_no_other_its_answer(engines: dict[str, CaptionEngine], kind: str) -> None:
    requests = [
        CaptionRequest(request_id="before", prompt="Say it.", max_tokens=8),
        CaptionRequest(request_id="long", prompt="red circle " * 400, max_tokens=8),
        CaptionRequest(request_id="after", prompt="Say it.", max_tokens=8),
    ]
    replies = answers(engines[kind], requests)
    assert replies["long"].finish == "error"
    assert str(MAX_MODEL_LEN) in replies["long"].error
    assert replies["long"].text == ""
    alone = answers(engines[kind], requests[:1])["before"]
    assert replies["before"] == alone
    assert replies["after"].text == alone.text != ""


def test_both_stop_where_the_model_has_no_room_for_more(engines: dict[str, CaptionEngine]) -> None:
    room = 9
    start = answers(engines["vllm"], [CaptionRequest(request_id="", prompt="", max_tokens=1)])[""].num_prompt_tokens
    assert start is not None
    # "!" is a token, and so is each other of its kind that follows it.
    prompt = "!" * (MAX_MODEL_LEN - start - room)
    request = CaptionRequest(request_id="full", prompt=prompt, max_tokens=30, min_tokens=30)
    for engine in engines.values():
        reply = answers(engine, [request])["full"]
        assert reply.num_prompt_tokens == MAX_MODEL_LEN - room
        assert (reply.finish, reply.num_output_tokens) == ("length", room)


def test_one_who_stops_listening_leaves_no_answer_to_the_next(engines: dict[str, CaptionEngine]) -> None:
    requests = [CaptionRequest(request_id=f"old {k}", prompt="Say it.", max_tokens=4 + 9 * k) for k in range(4)]
    given = engines["vllm"].generate(ListFeed(requests))
    next(given)
    given.close()  # type: ignore[attr-defined]
    answers(engines["vllm"], [CaptionRequest(request_id="new", prompt="Say it.", max_tokens=60, min_tokens=60)])


@pytest.mark.slow
def test_two_in_one_process_give_what_each_gives_alone(
    engines: dict[str, CaptionEngine], tiny_model: Path, make_window: Callable[..., Any]
) -> None:
    requests = [
        CaptionRequest(request_id=str(k), prompt="Say it.", window=make_window(4, 56, 56, seed=k), max_tokens=24)
        for k in range(24)
    ]
    alone = answers(engines["vllm"], requests)
    other = make_engine(config_of("vllm", tiny_model))

    def set_up_and_ask() -> dict[str, CaptionReply]:
        other.setup()
        return answers(other, requests)

    with ThreadPoolExecutor(1) as aside:
        second = aside.submit(set_up_and_ask)
        while not second.done():
            assert answers(engines["vllm"], requests) == alone
        assert second.result() == alone
    other.close()
    assert answers(engines["vllm"], requests) == alone


def test_setting_up_changes_nothing_for_the_rest_of_the_process(engines: dict[str, CaptionEngine]) -> None:
    import torch

    answers(engines["transformers"], [CaptionRequest(request_id="", prompt="Say it.", max_tokens=2)])
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.get_default_dtype() == torch.float32


@pytest.fixture
def copied(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def changed(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("engine", [TransformersEngine, VllmEngine])
def test_a_folder_that_holds_no_model_is_refused_before_anything_is_loaded(
    copied: Path, engine: Callable[[EngineConfig], CaptionEngine]
) -> None:
    def why() -> str:
        with pytest.raises(ConfigError, match=r"^caption\.engine\.model: ") as caught:
            engine(config_of("vllm", copied))
        return str(caught.value)

    weights = copied / "model.safetensors"
    whole = weights.read_bytes()
    for broken in (whole[:-1], whole[:100], b"", b"\xff" * 64, whole + b"!"):
        weights.write_bytes(broken)
        assert "model.safetensors: is cut off or no file of weights" in why()
    weights.rename(copied / "pytorch_model.bin")
    assert "has no weights (*.safetensors); pytorch_model.bin may hold code and is not loaded" in why()
    (copied / "pytorch_model.bin").unlink()
    assert why().endswith("has no weights (*.safetensors)")
    (copied / "config.json").write_text('{"architectures": ["Qwen2_5_VLForConditionalGen')
    assert "config.json: cannot be read" in why()
    for text in ("[]", "{}", '{"architectures": []}', '{"architectures": [7]}', '{"architectures": "x"}'):
        (copied / "config.json").write_text(text)
        assert "config.json: names no architecture" in why()
    (copied / "config.json").unlink()
    assert "there is no config.json" in why()
    shutil.rmtree(copied)
    assert "there is no such folder" in why()


@KINDS
def test_an_unknown_architecture_is_named(copied: Path, kind: str) -> None:
    if kind == "vllm":
        pytest.importorskip("vllm")
    changed(copied, architectures=["FlyingCarForConditionalGeneration"], model_type="flying_car")
    with pytest.raises(ConfigError, match=r"FlyingCar|flying_car"):
        make_engine(config_of(kind, copied)).setup()


def test_weights_that_are_not_the_models_are_refused(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copied / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if "layers.1." in name and "visual" not in name)
    save_file({key: value for key, value in weights.items() if key != name}, path, metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"weights.*layers\.1\."):
        make_engine(config_of("transformers", copied)).setup()
    save_file({**weights, name: weights[name][:1].clone()}, path, metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"layers\.1\.|mismatch"):
        make_engine(config_of("transformers", copied)).setup()


def test_a_folder_without_a_chat_template_is_refused(copied: Path) -> None:
    (copied / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="has no chat template"):
        make_engine(config_of("transformers", copied)).setup()


def test_the_digest_is_of_what_the_folder_holds(copied: Path, tiny_model: Path) -> None:
    def digest() -> str:
        return make_engine(config_of("vllm", copied)).digest

    first = digest()
    assert first == make_engine(config_of("transformers", tiny_model)).digest
    (copied / "README.md").write_text("new")
    assert digest() == first
    seen = {first}
    for name in ("tokenizer.json", "model.safetensors", "chat_template.jinja"):
        data = bytearray((copied / name).read_bytes())
        data[-3] ^= 1
        (copied / name).write_bytes(data)
        seen.add(digest())
    assert len(seen) == 4


def test_an_engine_survives_the_way_to_a_worker(tiny_model: Path) -> None:
    for kind in ("vllm", "transformers"):
        engine = make_engine(config_of(kind, tiny_model))
        assert pickle.loads(pickle.dumps(engine)).digest == engine.digest
        assert engine.model_id == "tiny"


def test_a_config_without_a_model_says_what_it_needs() -> None:
    assert missing(EngineConfig()) == "needs caption.engine.model"
    assert missing(EngineConfig(model="x")) == ""


def test_without_a_model_there_is_something_to_plan_with_and_nothing_to_run() -> None:
    engine = pickle.loads(pickle.dumps(make_engine(EngineConfig())))
    assert (engine.model_id, engine.digest) == ("", "")
    for use in (engine.setup, lambda: engine.generate(ListFeed([]))):
        with pytest.raises(AssertionError, match="a stage without a model is not run"):
            use()
