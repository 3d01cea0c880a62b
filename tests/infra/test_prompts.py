from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.prompts import check_judged, check_words, named, under
from infra.sample_config import SampleConfig
from schemas import ConfigError


@pytest.fixture(scope="module")
def config(sample_values: Callable[..., dict[str, Any]]) -> SampleConfig:
    return SampleConfig.model_validate(sample_values())


@pytest.mark.parametrize(
    ("subject", "prompt", "whole"),
    [("a ball", "rolls", "a ball rolls"), ("", "rolls", "rolls"), ("a ball", "", "a ball")],
)
def test_a_subject_stands_before_what_a_shot_shows(subject: str, prompt: str, whole: str) -> None:
    assert under(subject, prompt) == whole


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (" ", "the prompt is empty"),
        ("x" * 20_000, "the prompt has 20,000 bytes"),
        ("a gory beheading", "the prompt is refused by the policy: violence"),
    ],
)
def test_what_is_refused_is_told_with_the_shot_that_it_is_of(config: SampleConfig, prompt: str, sentence: str) -> None:
    for check in (check_words, check_judged):
        with pytest.raises(ConfigError, match=f"^{sentence}"):
            check(named([prompt], are_shots=False), config)
        with pytest.raises(ConfigError, match=f"^shot 2: {sentence}"):
            check(named(["a ball", prompt], are_shots=True), config)
        check(named(["a ball", "a ring"], are_shots=True), config)


def test_a_judge_is_asked_of_each_and_refuses_the_shot_that_it_does_not_like(
    sample_values: Callable[..., dict[str, Any]], talker: Any, tmp_path: Path
) -> None:
    talker.answers |= {"a song": '{"verdict": "hate"}', "a ball": '{"verdict": "allowed"}'}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"judge": {"engine": talker.engine}}))
    config = SampleConfig.model_validate(sample_values(policy=str(tmp_path / "policy.yaml")))
    prompts = named(["a ball", "a song"], are_shots=True)
    check_words(prompts, config)
    check_judged(prompts[:1], config)
    with pytest.raises(ConfigError, match=r"^shot 2: the prompt is refused by the policy: hate"):
        check_judged(prompts, config)
