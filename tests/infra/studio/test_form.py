"""From a form to what the command line would ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.studio.form import MAX_RESULTS, FieldError, Reference, asked_of, field_of, read_form, references_of, told
from schemas import ConfigError

PICTURE = Reference(Path("/r/picture"), True, 96, 48, None)
VIDEO = Reference(Path("/r/video"), False, 40, 32, 2.0)
SHOT = {"prompt": "q", "seconds": 1}
FOUND = {"given/a": PICTURE, "made/b": VIDEO}


def asked(number: int = 0, **values: Any) -> dict[str, Any]:
    """What is asked for, without what is as it is without being asked for."""
    form = read_form({"prompt": "p", **values})
    references = references_of(form, FOUND.get)
    out = Path("o.mp4" if form.is_video(references[0] if references else None) else "o.png")
    one = asked_of(form, references, out, number)
    one.mode()
    said = {name: value for name, value in one.model_dump().items() if name in one.model_fields_set and value}
    return {name: list(value) if name == "shots" else value for name, value in said.items()}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        pytest.param({"mode": "text", "seconds": "1.5", "size": "64x48"}, {"seconds": 1.5, "size": "64x48"}, id="text"),
        pytest.param({"mode": "text", "kind": "picture", "seconds": 3}, {}, id="a picture has no length"),
        pytest.param({"mode": "text", "reference": "gone"}, {}, id="text needs no reference"),
        pytest.param({"mode": "image", "reference": "given/a"}, {"image": PICTURE.path}, id="image"),
        pytest.param(
            {"mode": "extend", "reference": "made/b", "direction": "both", "strength": 0.5},
            {"video": VIDEO.path, "extend": "both"},
            id="extend",
        ),
        pytest.param(
            {"mode": "connect", "reference": "made/b", "second": "made/b"},
            {"video": VIDEO.path, "connect": VIDEO.path},
            id="connect",
        ),
        pytest.param({"mode": "loop"}, {"loop": True}, id="loop of nothing"),
        pytest.param({"mode": "loop", "reference": "made/b"}, {"loop": True, "video": VIDEO.path}, id="loop"),
        pytest.param(
            {"mode": "edit", "reference": "given/a", "strength": 0.4, "seconds": 3},
            {"image": PICTURE.path, "strength": 0.4},
            id="edit",
        ),
        pytest.param(
            {"mode": "inpaint", "reference": "made/b", "region": "0,0,8x8@0-1"},
            {"video": VIDEO.path, "inpaint": "0,0,8x8@0-1"},
            id="inpaint",
        ),
        pytest.param(
            {"mode": "shots", "shots": [{"prompt": "q", "seconds": "0.5"}], "seconds": 9, "reference": "made/b"},
            {"shots": [{"prompt": "q", "seconds": 0.5, "cut": False}], "video": VIDEO.path},
            id="shots",
        ),
        pytest.param({"mode": "text", "shots": [{"prompt": "q", "seconds": 1}]}, {}, id="text has no shots"),
    ],
)
def test_each_mode_asks_for_what_the_command_line_would(values: dict[str, Any], wanted: dict[str, Any]) -> None:
    is_picture = values.get("kind") == "picture" or values["mode"] == "edit"
    assert asked(**values) == {"prompt": "p", "out": Path("o.png" if is_picture else "o.mp4"), **wanted}


def test_results_have_other_seeds_or_lie_around_one() -> None:
    assert [asked(k, mode="text", seed="5")["seed"] for k in range(2)] == [5, 6]
    around = [asked(k, mode="text", seed=5, variation=0.3, variation_seed=7) for k in range(2)]
    assert [(one["seed"], one["variation"], one["variation_seed"]) for one in around] == [(5, 0.3, 7), (5, 0.3, 8)]


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        pytest.param({"mode": "text", "seed": "x"}, "seed", "seed: input should be a valid integer", id="seed"),
        pytest.param({"mode": "texts"}, "mode", "mode: input should be 'text'", id="mode"),
        pytest.param({"mode": "text", "results": MAX_RESULTS + 1}, "results", "less than or equal to", id="results"),
        pytest.param({"mode": "text", "prompt": "\ud800"}, "prompt", "half a character", id="half a character"),
        pytest.param({"mode": "text", "path": "/etc/passwd"}, "path", "extra inputs", id="a field of no form"),
        pytest.param({"mode": "text", "variation": ""}, "variation", "valid number", id="variation"),
        pytest.param({"mode": "image"}, "reference", "a picture is missing", id="no picture"),
        pytest.param({"mode": "edit"}, "reference", "a picture or a video is missing", id="nothing to edit"),
        pytest.param({"mode": "connect", "reference": "made/b"}, "second", "a video is missing", id="no second"),
        pytest.param({"mode": "image", "reference": "made/b"}, "reference", "and this is a video", id="a video"),
        pytest.param({"mode": "extend", "reference": "given/a"}, "reference", "and this is a picture", id="picture"),
        pytest.param({"mode": "extend", "reference": "../x"}, "reference", "no longer there", id="unknown"),
        pytest.param({"mode": "inpaint", "reference": "given/a"}, "region", "draw the part", id="no region"),
        pytest.param(
            {"mode": "edit", "reference": "given/a", "draft": True}, "draft", "they do not go together", id="draft"
        ),
        pytest.param({"mode": "shots"}, "shots", "there is no shot", id="no shot"),
        pytest.param({"mode": "shots", "shots": [SHOT] * 33}, "shots", "at most 32 items", id="many shots"),
        pytest.param({"mode": "shots", "shots": "x"}, "shots", "valid tuple", id="shots that are none"),
        pytest.param({"mode": "shots", "shots": [SHOT, 5]}, "shots.1", "^shot 2: input should be", id="no row"),
        pytest.param(
            {"mode": "shots", "shots": [SHOT, {**SHOT, "seconds": "x"}]},
            "shots.1.seconds",
            "^shot 2: seconds: input should be a valid number",
            id="seconds of a shot",
        ),
        pytest.param(
            {"mode": "shots", "shots": [{**SHOT, "seconds": "inf"}]}, "shots.0.seconds", "finite", id="no end"
        ),
        pytest.param(
            {"mode": "shots", "shots": [{**SHOT, "prompt": "\ud800"}]}, "shots.0.prompt", "half a char", id="half"
        ),
        pytest.param({"mode": "text", "as_written": "\udfff"}, "as_written", "half a character", id="half as written"),
        pytest.param(
            {"mode": "shots", "shots": [SHOT], "reference": "given/a"}, "reference", "this is a picture", id="shots"
        ),
    ],
)
def test_a_mistake_is_told_with_its_field(values: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(FieldError, match=sentence) as caught:
        asked(**values)
    assert caught.value.field == field


def test_what_was_written_out_is_made_and_asked_for_in_the_persons_own_words() -> None:
    text = read_form({"mode": "text", "prompt": "a red ball rolls", "as_written": "a ball"})
    assert (text.words, text.longer) == ("a ball", ("a red ball rolls",))
    assert read_form({"mode": "text", "prompt": "a ball"}).longer == ()
    written = {**SHOT, "prompt": "a ball rolls far", "as_written": "rolls"}
    shots = read_form({"mode": "shots", "prompt": "a ball", "shots": [SHOT, written]})
    # The longer one has the subject in it.
    assert shots.longer == ("a ball q", "a ball rolls far")
    assert asked_of(shots, (), Path("o.mp4"), 0).prompts == ("a ball q", "a ball rolls")
    under_longer = read_form({"mode": "shots", "prompt": "a red ball", "as_written": "a ball", "shots": [SHOT]})
    assert under_longer.longer == ("a red ball q",)
    assert asked_of(under_longer, (), Path("o.mp4"), 0).prompts == ("a ball q",)


@pytest.mark.parametrize("values", [None, [], "text", 5, {}])
def test_what_is_no_form_is_refused(values: object) -> None:
    with pytest.raises(FieldError):
        read_form(values)


@pytest.mark.parametrize(
    ("sentence", "field"),
    [
        ("the prompt is empty", "prompt"),
        ("command line: --size is WIDTHxHEIGHT in pixels, as 1280x720, got 'x'", "size"),
        ("sides lie in 16 to 4096 pixels (min_side, max_side), got 8x8", "size"),
        ("an MP4 has even sides, got 41x32; 42x32 is the next size", "size"),
        ("this device cannot hold what is asked for; a smaller size or window_s needs less\n table", "size"),
        ("--seconds lies in 0 to 60 (max_seconds), got 61", "seconds"),
        ("the seed lies in 0 to 9, got -1", "seed"),
        ("the variation seed lies in 0 to 9, got -1", "variation_seed"),
        ("the variation lies in [0, 1], got 2", "variation"),
        ("the strength lies in (0, 1], got 2", "strength"),
        ("the region 0,0,0x0 is empty or reaches beyond the 40x32 clip", "region"),
        ("command line: --inpaint is X,Y,WIDTHxHEIGHT or X,Y,WIDTHxHEIGHT@START-END, got 'x'", "region"),
        ("a clip of 3 frames is too short to be closed: 10 are needed", "reference"),
        ("/r/video: corrupt: nothing decodes", "reference"),
        ("shot 3: the prompt is empty", "shots.2.prompt"),
        ("shot 2: seconds lie in 0 to 60 (max_seconds), got 61", "shots.1.seconds"),
        ("model: is gone", ""),
    ],
)
def test_sentences_of_the_sampler_find_their_field(sentence: str, field: str) -> None:
    form = read_form({"mode": "extend", "prompt": "p", "reference": "made/b"})
    shown = told(sentence, asked_of(form, (VIDEO,), Path("o.mp4"), 0))
    assert field_of(ConfigError(shown)) == field
    assert "command line" not in shown
    assert "--" not in shown
    assert "/r/" not in shown
