"""Training on real films of the miniature world, small and short."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from captioner.clips import CaptionInput
from captioner.config import EngineConfig, FramesConfig
from captioner.finetune import CaptionPair, FinetuneConfig, finetune, split
from captioner.finetune.config import LoraConfig, PhaseConfig
from captioner.finetune.train import pairs_of
from captioner.frames import ClipSpan
from captioner.random_start import RandomStartConfig
from pipeline.media import MediaLimits
from pipeline.media.container import open_container
from pipeline.media.probe import probe
from pipeline.storage import spooled
from schemas import ConfigError
from schemas.caption import CaptionKind

SHAPE = {"width": 64, "layers": 2, "vision_width": 64, "vision_layers": 2}
SHORT = PhaseConfig(prompt="short", kinds={CaptionKind.short: 1.0}, steps=2)
DENSE = PhaseConfig(prompt="plain", kinds={CaptionKind.dense: 3.0, CaptionKind.short: 1.0}, steps=4)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[CaptionPair]:
    """Six films with a caption each."""
    from captioner.finetune.answers import read_answers
    from infra.demo.answered import make_answered

    folder = tmp_path_factory.mktemp("films")
    make_answered(folder, seed=40, num=6)
    answers = read_answers([str(folder / "answers.jsonl")])
    made = []
    for number, path in enumerate(sorted(folder.glob("*.mp4"))):
        with open_container(path) as container:
            probed = probe(container)
        video = CaptionInput(f"{number:032x}", str(path), json.dumps(probed.to_json()), False, "[]", 1, 0.0)
        span = ClipSpan(
            clip_id=f"{number:032x}",
            start_pts=0,
            end_pts=10**9,
            time_base=Fraction(1, 1000),
            crop=(0, 0, probed.width, probed.height),
        )
        answer = answers.of("", str(path))
        assert answer is not None
        texts = {kind: (text,) for kind, text in answer.texts.items()}
        made.append(CaptionPair(video=video, span=span, texts=texts, facts=answer.facts))
    return made


def config(**over: Any) -> FinetuneConfig:
    given: dict[str, Any] = {
        "start": RandomStartConfig(**SHAPE, vocabulary=400, max_tokens=512),  # type: ignore[arg-type]
        "frames": FramesConfig(num_frames=2, max_pixels=84 * 84),
        "phases": (SHORT, DENSE),
        "batch_size": 4,
        "micro_batch_size": 2,
        "learning_rate": 3e-3,
        "warmup_steps": 1,
        "evaluate_steps": 2,
        "checkpoint_steps": 1,
        "threads": 2,
    }
    return FinetuneConfig(**given | over)


def train(wanted: FinetuneConfig, pairs: list[CaptionPair], out: Path, said: list[str] | None = None) -> Path:
    say = print if said is None else said.append
    kept, learnt = pairs[:2], pairs[2:]
    return finetune(wanted, learnt, kept, out, limits=MediaLimits(), open_source=spooled, say=say)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class PowerCutError(Exception):
    """As if the power had gone."""


@pytest.fixture(scope="module")
def undisturbed(pairs: list[CaptionPair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    train(config(), pairs, out)
    return out


def test_it_writes_a_line_a_step_and_a_model_a_phase(undisturbed: Path) -> None:
    steps = lines(undisturbed / "steps.jsonl")
    assert [line["step"] for line in steps] == list(range(6))
    assert [line["step"] for line in lines(undisturbed / "heldout.jsonl")] == [2, 4, 6]
    assert (undisturbed / "phase-1" / "model.safetensors").exists()
    assert (undisturbed / "model" / "preprocessor_config.json").exists() or (
        undisturbed / "model" / "processor_config.json"
    ).exists()


def test_a_stopped_training_goes_on_to_the_very_same_weights(
    undisturbed: Path, pairs: list[CaptionPair], tmp_path: Path
) -> None:
    seen: list[str] = []

    def stop(text: str) -> None:
        seen.append(text)
        if text.startswith("step 4 of"):
            raise PowerCutError

    with pytest.raises(PowerCutError):
        finetune(config(), pairs[2:], pairs[:2], tmp_path, limits=MediaLimits(), open_source=spooled, say=stop)
    train(config(), pairs, tmp_path)
    assert (tmp_path / "steps.jsonl").read_text() == (undisturbed / "steps.jsonl").read_text()
    assert (tmp_path / "heldout.jsonl").read_text() == (undisturbed / "heldout.jsonl").read_text()
    ours, theirs = ((folder / "model/model.safetensors").read_bytes() for folder in (tmp_path, undisturbed))
    assert ours == theirs


def test_the_loss_falls(pairs: list[CaptionPair], tmp_path: Path) -> None:
    wanted = config(phases=(DENSE.model_copy(update={"steps": 25}),), evaluate_steps=100, checkpoint_steps=100)
    train(wanted, pairs, tmp_path)
    losses = [line["loss"] for line in lines(tmp_path / "steps.jsonl")]
    assert losses[-1] < 0.6 * losses[0]


def test_micro_batches_change_nothing(undisturbed: Path, pairs: list[CaptionPair], tmp_path: Path) -> None:
    start = str(undisturbed / "start")
    train(config(model=start, micro_batch_size=4, phases=(SHORT,)), pairs, tmp_path)
    ours = [line["loss"] for line in lines(tmp_path / "steps.jsonl")]
    theirs = [line["loss"] for line in lines(undisturbed / "steps.jsonl")]
    assert ours == pytest.approx(theirs[:2], abs=1e-4)


def test_lora_trains_small_matrices_and_gives_a_whole_model(
    undisturbed: Path, pairs: list[CaptionPair], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    base = undisturbed / "model"
    wanted = config(model=str(base), lora=LoraConfig(rank=2), phases=(SHORT,), learning_rate=0.05)
    model = train(wanted, pairs, tmp_path)
    before, after = load_file(base / "model.safetensors"), load_file(model / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name.rsplit(".", 2)[-2] for name in before if not before[name].equal(after[name])}
    assert changed == {"q_proj", "k_proj", "v_proj", "o_proj"}


def test_a_model_can_be_saved_in_half_the_bytes(undisturbed: Path, pairs: list[CaptionPair], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    base = undisturbed / "model"
    model = train(config(model=str(base), saved_as="float16", phases=(SHORT,)), pairs, tmp_path)
    assert {str(weight.dtype) for weight in load_file(model / "model.safetensors").values()} == {"torch.float16"}
    assert json.loads((model / "config.json").read_text())["dtype"] == "float16"


def test_a_layer_that_is_not_there_is_named(undisturbed: Path, pairs: list[CaptionPair], tmp_path: Path) -> None:
    wanted = config(model=str(undisturbed / "model"), lora=LoraConfig(targets=("nowhere",)), phases=(SHORT,))
    with pytest.raises(ConfigError, match=r"lora\.targets: .* nowhere"):
        train(wanted, pairs, tmp_path)


def test_a_clip_that_does_not_decode_is_told_and_passed_over(pairs: list[CaptionPair], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(Path(pairs[3].video.uri).read_bytes()[:500])
    bad = replace(pairs[3], video=replace(pairs[3].video, uri=str(broken)))
    train(config(phases=(SHORT,)), [*pairs[:3], bad, *pairs[4:]], tmp_path / "out")
    (told, *_) = lines(tmp_path / "out" / "unreadable.jsonl")
    assert told["clip_id"] == bad.span.clip_id
    assert told["error_kind"] in ("corrupt", "not_media", "changed")


def test_another_training_does_not_go_on_from_here(undisturbed: Path, pairs: list[CaptionPair], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another training"):
        train(config(learning_rate=1e-3), pairs, undisturbed)


def test_a_phase_without_captions_is_refused(pairs: list[CaptionPair], tmp_path: Path) -> None:
    phase = PhaseConfig(prompt="short", kinds={CaptionKind.original: 1.0}, steps=1)
    with pytest.raises(ConfigError, match="none of 4 clips has a caption of kind original"):
        train(config(phases=(phase,)), pairs, tmp_path)


def test_a_phase_may_have_answers_of_its_own(pairs: list[CaptionPair], tmp_path: Path) -> None:
    names = tmp_path / "names.jsonl"
    names.write_text(json.dumps({"uri": Path(pairs[2].video.uri).name, "short": "a star"}) + "\n")
    phase = SHORT.model_copy(update={"answers": (str(names),), "frames": FramesConfig(num_frames=2, max_pixels=3136)})
    (pair,) = pairs_of(phase, pairs)
    assert (pair.span, pair.texts) == (pairs[2].span, {CaptionKind.short: ("a star",)})
    train(config(phases=(phase,)), pairs, tmp_path / "out")
    assert [line["num_clips"] for line in lines(tmp_path / "out/steps.jsonl")] == [1, 1]


def test_a_phase_ends_when_nothing_gets_better(pairs: list[CaptionPair], tmp_path: Path) -> None:
    said: list[str] = []
    wanted = config(phases=(SHORT.model_copy(update={"steps": 12}),), learning_rate=0.3, evaluate_steps=1, patience=1)
    train(wanted, pairs, tmp_path, said)
    assert len(lines(tmp_path / "steps.jsonl")) < 12
    assert any("the phase ends" in text for text in said)


def test_what_was_learnt_is_answered_by_an_engine(undisturbed: Path, pairs: list[CaptionPair]) -> None:
    from captioner.evaluate import RivalConfig, captions_of
    from captioner.transformers_engine import TransformersEngine

    rival = RivalConfig(
        name="a",
        engine=EngineConfig(kind="transformers", model=str(undisturbed / "model"), max_model_len=512),
        prompt="plain",
        is_structured=False,
        max_tokens=16,
    )
    engine = TransformersEngine(rival.engine)
    engine.setup()
    said = captions_of(rival, engine, pairs, config().frames, 1, limits=MediaLimits(), open_source=spooled)
    engine.close()
    assert len(said.texts) + len(said.refused) == len(pairs)
    assert not said.unreadable


def test_a_videos_clips_lie_on_one_side(pairs: list[CaptionPair]) -> None:
    many = [replace(pair, video=replace(pair.video, video_id=f"v{k}")) for k in range(40) for pair in pairs]
    learnt, kept = split(many, 0.25)
    assert len(learnt) + len(kept) == len(many)
    assert not {pair.video.video_id for pair in learnt} & {pair.video.video_id for pair in kept}
    assert kept
