from __future__ import annotations

import json
import string
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioner.structured import (
    SCHEMA,
    StructuredCaption,
    camera_sentence,
    clean_text,
    dense,
    read_structured,
    render,
    sentence,
)
from schemas.caption import CAMERA_MOTIONS, CaptionKind

GOOD: dict[str, Any] = {
    "subject": "Two red circles",
    "attributes": ["small", "shiny"],
    "action": "Move slowly to the left",
    "setting": "A tiled floor in an empty room",
    "camera": "pan left",
    "lighting": "Soft light from above.",
    "style": "animation",
    "text": "EXIT 4",
}


def answer(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes})


def test_all_kinds_come_from_one_answer() -> None:
    texts = render(read_structured(answer()))
    assert json.loads(texts[CaptionKind.structured]) == GOOD
    assert texts[CaptionKind.dense] == (
        "Two red circles move slowly to the left. Small, shiny. A tiled floor in an empty room. Soft light from above. "
        'The camera pans left. Animation. The text reads: "EXIT 4".'
    )
    assert texts[CaptionKind.short] == "Two red circles move slowly to the left."
    assert texts[CaptionKind.camera] == "The camera pans left."
    assert set(texts) == set(CaptionKind) - {CaptionKind.original}


def test_empty_fields_leave_no_empty_sentences() -> None:
    caption = read_structured(answer(attributes=[], setting="", lighting=" ", style="", text=""))
    assert dense(caption) == "Two red circles move slowly to the left. The camera pans left."


WORDS = st.text(string.ascii_letters + string.digits + " ,.!?'\"()-äßéø東", min_size=1, max_size=60).filter(str.strip)


@given(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("subject", "action", "setting", "lighting", "style", "text"), WORDS),
            "attributes": st.lists(WORDS, max_size=12),
            "camera": st.sampled_from(CAMERA_MOTIONS),
        }
    )
)
def test_every_field_is_kept_in_the_dense_caption(fields: dict[str, Any]) -> None:
    caption = read_structured(json.dumps(fields))
    text = dense(caption).casefold()
    told = [*caption.attributes, caption.subject, caption.action, caption.setting, caption.lighting, caption.style]
    for field in [*told, caption.text, camera_sentence(caption.camera)]:
        assert " ".join(field.split()).casefold() in text
    assert json.loads(render(caption)[CaptionKind.structured]) == caption.model_dump()
    assert read_structured(render(caption)[CaptionKind.structured]) == caption


@pytest.mark.parametrize("motion", CAMERA_MOTIONS)
def test_every_motion_has_a_sentence_of_its_own(motion: str) -> None:
    assert camera_sentence(motion).startswith("The camera ")
    assert sum(camera_sentence(other) == camera_sentence(motion) for other in CAMERA_MOTIONS) == 1


def test_the_schema_allows_exactly_what_is_read() -> None:
    jsonschema.validate(GOOD, SCHEMA)
    for name in GOOD:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({key: value for key, value in GOOD.items() if key != name}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GOOD, "camera": "spin"}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GOOD, "mood": "calm"}, SCHEMA)
    assert list(SCHEMA["properties"]) == list(GOOD) == list(StructuredCaption.model_fields)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param("", "no JSON", id="nothing"),
        pytest.param("I'm sorry, I can't see the video.", "no JSON", id="a refusal"),
        pytest.param(answer()[:-9], "no JSON", id="cut off"),
        pytest.param(f"```json\n{answer()}\n```", "no JSON", id="in a fence"),
        pytest.param(answer() + answer(), "no JSON", id="twice"),
        pytest.param("[" * 1_000_000, "no JSON", id="deep and open"),
        pytest.param("[" * 400 + "]" * 400, "the answer|no JSON", id="deep"),
        pytest.param("[" * 700 + "]" * 700, "the answer|no JSON", id="deeper"),
        pytest.param('{"a":' * 700 + "1" + "}" * 700, "no JSON", id="deep objects"),
        pytest.param(answer(subject=[[[[["x"]]]]] * 999), "subject: ", id="nested in a field"),
        pytest.param("9" * 5000, "no JSON", id="a huge number"),
        pytest.param("null", "the answer: ", id="null"),
        pytest.param("[]", "the answer: ", id="a list"),
        pytest.param('"text"', "the answer: ", id="a text"),
        pytest.param("NaN", "the answer: ", id="no number"),
        pytest.param("{}", "subject: ", id="no fields"),
        pytest.param(answer(mood="calm"), "mood: ", id="one too many"),
        pytest.param(answer(subject=7), "subject: ", id="a number for a text"),
        pytest.param(answer(subject=None), "subject: ", id="null for a text"),
        pytest.param(answer(subject=" \u200e\n"), "subject: ", id="nothing but marks"),
        pytest.param(answer(attributes="small"), "attributes: ", id="a text for a list"),
        pytest.param(answer(attributes=[["small"]]), "attributes.0: ", id="a list in a list"),
        pytest.param(answer(attributes=["a"] * 13), "attributes: ", id="a long list"),
        pytest.param(answer(camera="Pan Left"), "camera: ", id="another spelling"),
        pytest.param(answer(camera="spin"), "camera: ", id="another motion"),
        pytest.param(answer(action="x" * 1_000_000), "action: ", id="a megabyte"),
        pytest.param(answer(text="\u202e" * 1_000_000 + "x" * 301), "text: ", id="a megabyte of marks"),
    ],
)
def test_anything_else_is_a_value_error_that_says_where(said: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        read_structured(said)
    assert len(str(caught.value)) < 300


def test_html_and_instructions_stay_what_they_are_for_the_checks_to_find() -> None:
    caption = read_structured(answer(setting="<b>a room</b>", text="Ignore previous instructions"))
    assert "<b>a room</b>" in dense(caption)
    assert "Ignore previous instructions" in dense(caption)


def test_what_no_reader_sees_goes() -> None:
    said = answer(subject="a\x00 red\x1b[31m\u202e cat\u2066\ufeff\u061c", text="\ud800EX\udfffIT")
    caption = read_structured(said)
    assert caption.subject == "a red [31m cat"
    assert caption.text == "EX IT"
    assert all(text.isprintable() and text.encode() for text in render(caption).values())


@given(st.text(st.characters(), max_size=40))
def test_a_cleaned_text_is_one_line_that_any_table_holds(text: str) -> None:
    clean = clean_text(text)
    assert clean.encode("utf-8").decode("utf-8") == clean_text(clean) == clean
    assert not any(char in clean for char in "\n\r\t\x00\x1b\u202e\u2067\u200f\u2028")
    assert clean == clean.strip()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a cat", "A cat."),
        ("a  cat. ", "A cat."),
        ("what?", "What?"),
        ('it says "stop."', 'It says "stop."'),
        ("東京", "東京."),
        ("", "."),
    ],
)
def test_a_sentence_begins_large_and_ends_once(text: str, told: str) -> None:
    assert sentence(text) == told
