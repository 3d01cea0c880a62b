"""Behind the words: a judge that reads, and frames that are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from captioner.engine import CaptionReply, Feed
from infra.policy import OFF, ON, Category, Gate, Policy, PolicyConfig, gate_of
from infra.policy.config import JudgeConfig
from infra.policy.judge import ask, template_of
from infra.policy.pictures import BLOCKED, FrameFilter
from infra.sample_config import SampleConfig
from schemas import ConfigError


class Scripted:
    """An engine that answers by a word of the question."""

    model_id = digest = "scripted"

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def setup(self) -> None:
        """Nothing to load."""

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        found = []
        while (request := feed.take(wait=True)) is not None:
            (text,) = [said for word, said in self.answers.items() if word in request.prompt]
            finish = "error" if text == "down" else "stop"
            found.append(CaptionReply(request_id=request.request_id, text=text, finish=finish, error=text))
        yield from reversed(found)

    def close(self) -> None:
        """Nothing to let go of."""


def test_a_judges_verdicts_come_back_to_their_prompts() -> None:
    answers = {"cat": '{"verdict": "allowed"}', "song": '{"verdict": "hate"}', "hill": "I would rather not say"}
    found = ask(["a cat", "a song", "a hill"], Scripted(answers), template_of(JudgeConfig()))
    assert found[0] is None
    assert [one.category for one in found[1:] if one] == [Category.hate, Category.other]


def test_a_judge_that_cannot_be_asked_ends_the_run() -> None:
    with pytest.raises(ConfigError, match="the model gives no answer"):
        ask(["a cat"], Scripted({"cat": "down"}), template_of(JudgeConfig()))


def test_a_real_model_is_asked_and_what_is_not_clear_is_refused(terse_captioner: Path) -> None:
    engine = {"kind": "transformers", "model": str(terse_captioner)}
    gate = Gate(Policy(PolicyConfig.model_validate({"judge": {"engine": engine}})))
    # Random weights say nothing clear; decoding against the schema may make one of its words of it.
    assert [refusal is None or refusal.category in Category for refusal in gate.prompts(["a cat", "a dog"])] == [
        True
    ] * 2


def test_a_template_without_a_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "judge.md").write_text("Is it allowed?")
    with pytest.raises(ConfigError, match=r"has no place \{prompt\}"):
        template_of(JudgeConfig(prompt=str(tmp_path / "judge.md")))


def test_frames_like_those_of_the_blocklist_are_refused(tmp_path: Path, tiny_clip: Path) -> None:
    from infra.demo.captioned import draw_captioned
    from infra.demo.render import render_shot
    from pipeline.scorers.embedding import Embedding
    from pipeline.scorers.scorer import ClipView

    config = {"weights": str(tiny_clip), "architecture": None}
    shots = [next(iter(render_shot(draw_captioned(seed)[0], (96, 64), [0.2]))) for seed in (1, 2)]
    policy = {"pictures": {"embedding": {k: v for k, v in config.items() if v}, "max_similarity": 0.9999}}
    embedding = Embedding(PolicyConfig.model_validate(policy).pictures.embedding)
    embedding.setup()
    (one,) = embedding.score([ClipView(clip_id="0", pictures=[shots[0]])])
    np.save(tmp_path / "blocked.npy", np.asarray(one["embedding"], np.float32)[None])
    policy["pictures"]["safety"] = {"blocklist": str(tmp_path / "blocked.npy")}  # type: ignore[dict-item]
    check = FrameFilter(PolicyConfig.model_validate(policy).pictures)
    refusal = check(np.stack([shots[1], shots[0]]), 1.0)
    assert refusal is not None
    assert refusal.rule == BLOCKED
    assert check(shots[1][None], 1.0) is None


def test_it_is_on_unless_the_config_says_off() -> None:
    assert SampleConfig(model="m").policy == ON
    assert SampleConfig.model_validate({"model": "m", "policy": False}).policy == OFF
    assert SampleConfig.model_validate({"model": "m", "policy": "mine.yaml"}).policy == "mine.yaml"
    assert gate_of(OFF) is None
    gate = gate_of(ON)
    assert gate is not None
    assert gate.prompts(["a cat", "a naked man"])[0] is None
    with pytest.raises(ConfigError, match=r"gone.yaml"):
        gate_of("gone.yaml")
