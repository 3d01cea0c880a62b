from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from infra.expansion import Expander, WrittenOut, job_of
from infra.sample_config import SampleConfig
from infra.sample_request import given_of, make_asked
from schemas import ConfigError

Values = Callable[..., dict[str, Any]]


@pytest.fixture
def expand(sample_values: Values, talker: Any) -> Iterator[Expander]:
    with closing(Expander(SampleConfig.model_validate(sample_values(expand=talker.engine)))) as found:
        yield found


def test_a_prompt_becomes_longer_where_the_model_says_all_of_it(expand: Expander, talker: Any) -> None:
    found = expand("a red\nball")
    assert found == WrittenOut("a red ball, over wet sand at dawn. The camera stands still.", is_longer=True)
    assert talker.asked == ["a red ball"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param("A ball.", "the longer one lacked red", id="a word is lost"),
        pytest.param("", "the model gave no whole answer", id="no answer"),
        pytest.param("A red ball in an explicit porn scene.", "the longer one is refused by the policy", id="policy"),
    ],
)
def test_else_it_stays_as_it_is_and_the_reason_is_told(expand: Expander, talker: Any, answer: str, why: str) -> None:
    talker.answers["a red ball"] = answer
    found = expand("a red ball")
    assert (found.prompt, found.is_longer) == ("a red ball", False)
    assert found.why.startswith(why)


def test_what_comes_of_a_prompt_is_no_longer_than_a_prompt_may_be(sample_values: Values, talker: Any) -> None:
    config = SampleConfig.model_validate(sample_values(expand=talker.engine, max_prompt_bytes=40))
    with closing(Expander(config)) as expand, pytest.raises(ConfigError, match="more than max_prompt_bytes, 40"):
        expand("a red ball")


def test_a_mistake_in_the_config_is_told_under_its_own_key(sample_values: Values, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^expand\.model: is missing"):
        Expander(SampleConfig.model_validate(sample_values()))
    engine = {"kind": "transformers", "model": str(tmp_path / "gone")}
    with pytest.raises(ConfigError, match=r"^expand\.model: .*gone: there is no such folder"):
        Expander(SampleConfig.model_validate(sample_values(expand=engine)))


def test_other_prompts_are_made_and_the_users_own_are_recorded(sample_values: Values, tmp_path: Path) -> None:
    config = SampleConfig.model_validate(sample_values())
    one = make_asked({"prompt": "a ball", "out": tmp_path / "o.png"}, "test")
    job = job_of(one, given_of(one, config), ["a red ball"])
    assert (job.given.request.prompt, job.first_prompt, job.asked) == ("a red ball", "a ball", one)
    listed = [{"prompt": "rolls", "seconds": 0.5}, {"prompt": "stands", "seconds": 0.5, "cut": True}]
    shots = make_asked({"prompt": "a ball", "out": tmp_path / "o.mp4", "shots": listed}, "test")
    job = job_of(shots, given_of(shots, config), ["it rolls far", "it stands still"])
    assert [(shot.prompt, shot.is_cut) for shot in job.given.request.shots] == [
        ("it rolls far", False),
        ("it stands still", True),
    ]
    assert (job.given.request.prompt, job.first_prompt) == ("a ball", "a ball rolls a ball stands")
