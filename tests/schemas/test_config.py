from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from schemas import Config, ConfigError, load_config


class Cut(Config):
    threshold: float = Field(3.0, gt=0)
    max_clip_s: float = 10.0
    workers: int = Field(2, json_schema_extra={"affects_output": False})


class Whole(Config):
    cut: Cut = Cut()
    name: str = "x"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_and_overrides_are_laid_over_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "cut:\n  threshold: 2.5\n")
    config = load_config(Whole, path, ["cut.max_clip_s=8", "name=y"])
    assert config == Whole(cut=Cut(threshold=2.5, max_clip_s=8.0), name="y")


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        pytest.param(
            "cut: {max_clip: 8}",
            [],
            "run.yaml: cut has no 'max_clip'; did you mean 'max_clip_s'?",
            id="near miss",
        ),
        pytest.param("cutt: {}", [], "run.yaml: the config has no 'cutt'; did you mean 'cut'?", id="at the top"),
        pytest.param(
            "cut: {threshold: -1}",
            [],
            "run.yaml: cut.threshold: input should be greater than 0, got -1",
            id="range",
        ),
        pytest.param(
            "",
            ["cut.threshold=abc"],
            "command line: cut.threshold: input should be a valid number",
            id="override's type",
        ),
        pytest.param("", ["cut"], "expected key.path=value, got 'cut'", id="override without value"),
        pytest.param("", ["name.deep=1", "name=2"], "name", id="a value has no keys"),
        pytest.param("- 1", [], "must hold keys and values, got list", id="not a mapping"),
        pytest.param("a: [", [], "is not YAML", id="broken YAML"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_key_and_near_miss(
    tmp_path: Path, text: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Whole, write(tmp_path / "run.yaml", text), overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file"):
        load_config(Whole, tmp_path / "missing.yaml")


def test_the_output_digest_follows_only_what_changes_output() -> None:
    same = Whole(cut=Cut(workers=9)).output_digest()
    assert Whole().output_digest() == same
    assert Whole(cut=Cut(threshold=3.1)).output_digest() != same
