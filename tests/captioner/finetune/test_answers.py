import json
from pathlib import Path

import pytest

from captioner.finetune.answers import read_answers
from schemas import ConfigError
from schemas.caption import CaptionKind

STRUCTURED = {
    "subject": "a red star",
    "attributes": ["one object"],
    "action": "moves left",
    "setting": "brick wall",
    "camera": "pan left",
    "lighting": "",
    "style": "",
    "text": "",
}


def write(path: Path, *lines: object) -> str:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return str(path)


def test_a_structured_answer_gives_every_kind(tmp_path: Path) -> None:
    answers = read_answers([write(tmp_path / "a.jsonl", {"uri": "x.mp4", "structured": STRUCTURED})])
    found = answers.of("c1", "/films/x.mp4")
    assert found is not None
    assert found.texts[CaptionKind.short] == "A red star moves left."
    assert json.loads(found.texts[CaptionKind.structured]) == STRUCTURED


def test_a_clips_own_answer_goes_before_that_of_its_video(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"uri": "x.mp4", "short": "a film"}, {"clip_id": "c1", "short": "a clip"})
    answers = read_answers([path])
    texts = [found.texts[CaptionKind.short] for clip in ("c1", "c2") if (found := answers.of(clip, "x.mp4"))]
    assert texts == ["a clip", "a film"]
    assert answers.of("c2", "y.mp4") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("{", "is not JSON lines", id="no JSON"),
        pytest.param("[]", "line 1 is no JSON object", id="no object"),
        pytest.param({"short": "a"}, "has neither clip_id nor uri", id="about nothing"),
        pytest.param({"uri": "x"}, "has no caption", id="no caption"),
        pytest.param({"uri": "x", "short": 3}, "short is no text", id="a number"),
        pytest.param({"uri": "x", "structured": {"subject": "a"}}, "structured: ", id="half a caption"),
        pytest.param({"uri": "x", "short": "a", "facts": {"shape": "star"}}, "facts.shape is no list", id="facts"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: object, said: str) -> None:
    path = write(tmp_path / "a.jsonl", line)
    with pytest.raises(ConfigError, match=said) as raised:
        read_answers([path])
    assert path in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"answers: .*none\.jsonl: cannot be read"):
        read_answers([str(tmp_path / "none.jsonl")])
