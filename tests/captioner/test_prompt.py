from __future__ import annotations

from pathlib import Path

import pytest

from captioner.prompt import FOLDER, find_prompt
from captioner.structured import StructuredCaption
from schemas import ConfigError
from schemas.caption import CAMERA_MOTIONS


def test_our_own_prompts_are_found_by_name() -> None:
    names = {path.stem for path in FOLDER.glob("*.md")}
    assert names >= {"structured", "short"}
    for name in names:
        prompt = find_prompt(name)
        assert prompt.name == name
        assert prompt.text == prompt.text.strip() != ""
    assert len({find_prompt(name).digest for name in names}) == len(names)


def test_the_structured_prompt_names_every_field_in_order_and_every_motion() -> None:
    text = find_prompt("structured").text
    places = [text.index(f'- "{name}":') for name in StructuredCaption.model_fields]
    assert places == sorted(places)
    assert text.count('- "') == len(places)
    assert ", ".join(CAMERA_MOTIONS) in text


def test_a_file_is_a_prompt_and_its_digest_is_of_what_it_says(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.md"
    first.write_text("Describe it – très bien.\n", encoding="utf-8")
    second.write_text("\n  Describe it – très bien.", encoding="utf-8")
    assert find_prompt(str(first)).text == "Describe it – très bien."
    assert find_prompt(str(first)).name == "a"
    assert find_prompt(str(first)).digest == find_prompt(str(second)).digest
    second.write_text("Describe it.")
    assert find_prompt(str(first)).digest != find_prompt(str(second)).digest


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("strutured", "did you mean 'structured'?", id="near miss"),
        pytest.param("nothing-like-it", "short, structured", id="far miss"),
        pytest.param("../prompts/short", "there is no prompt", id="not out of our folder"),
        pytest.param("", "there is no prompt ''", id="no name"),
    ],
)
def test_a_prompt_that_is_not_there_is_named(
    name: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_prompt(name)
    assert str(caught.value).startswith("caption.prompt: ")
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "has 0 characters", id="empty"),
        pytest.param(b" \n ", "has 0 characters", id="blank"),
        pytest.param(b"a" * 20_001, "has 20001 characters", id="long"),
        pytest.param(b"\xff\xfe\x00", "cannot be read", id="no text"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=why):
        find_prompt(str(path))
