"""`rushes sample` and `rushes verify` from the command line to the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from infra.cli.main import main
from infra.demo.tiny import tiny_film
from trainer.sampling.provenance import read_record

PROMPT = "a small red circle moves to the left"


@pytest.fixture
def config(sample_values: Callable[..., dict[str, Any]], tmp_path: Path) -> Path:
    path = tmp_path / "sample.yaml"
    path.write_text(yaml.safe_dump(sample_values()))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:48, 0:96]
    path = tmp_path / "given.png"
    Image.fromarray(np.stack([rows * 5, columns * 2, rows + columns], -1).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    tiny_film(tmp_path / "given.mp4", num_frames=16, cuts=(), size=(40, 32), fps=8)
    return tmp_path / "given.mp4"


def shape(path: Path) -> tuple[int, int, int]:
    """Frames, width, height."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return len(frames), frames[0].width, frames[0].height


def sample(config: Path, *argv: object, prompt: str = PROMPT) -> int:
    return main(["sample", str(config), "--prompt", prompt, *map(str, argv)])


def test_a_video_comes_out_and_says_what_it_is(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert sample(config, "--out", out, "--size", "48x40", "--seconds", "0.75", "--seed", "5", "--steps", "2") == 0
    said = capsys.readouterr()
    assert said.out == f"{out}: 48x40, 6 frames, 0.75 s, seed 5\n"
    assert "48x40 is not on the model's grid: 48x48 is made and cut to it" in said.err
    assert shape(out) == (6, 48, 40)
    record = read_record(out)
    assert record["prompt"] == PROMPT
    assert (record["seed"], record["mode"], record["solver"]["steps"]) == (5, "text", 2)
    assert record["made_by_ai"] is True
    assert main(["verify", str(out)]) == 0
    shown = capsys.readouterr().out
    assert f"{out}: made by AI\n  C2PA: valid, signed by 'a run without a signer of its own', untrusted" in shown
    assert record["model_digest"] in shown
    assert main(["verify", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"] == record


def pixels(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0))


def test_the_same_command_gives_the_same_pixels_and_record(config: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        assert sample(config, "--out", tmp_path / name, "--seed", 1 if name != "c.png" else 2) == 0
    first, again, other = (pixels(tmp_path / name) for name in ("a.png", "b.png", "c.png"))
    assert first == again != other
    # The bytes differ by the signature, whose key is another one each time.
    assert read_record(tmp_path / "a.png") == read_record(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("argv", "frames", "mode"),
    [
        pytest.param(["--image", "picture", "--size", "40x32"], 8, "image", id="a picture comes to life"),
        pytest.param(["--video", "video", "--extend", "forward"], 24, "forward", id="forward"),
        pytest.param(["--video", "video", "--extend", "backward"], 24, "backward", id="backward"),
        pytest.param(["--video", "video", "--extend", "both"], 32, "both", id="both"),
        pytest.param(["--video", "video", "--connect", "video"], 43, "connect", id="connect"),
        pytest.param(["--loop", "--seconds", "3"], 24, "loop", id="loop"),
        pytest.param(["--video", "video", "--strength", "0.5"], 13, "edit", id="edit"),
        pytest.param(["--video", "video", "--inpaint", "0,0,16x16@0-1"], 13, "inpaint", id="inpaint"),
    ],
)
def test_each_way_of_making_a_video(
    config: Path, tmp_path: Path, picture: Path, video: Path, argv: list[str], frames: int, mode: str
) -> None:
    files = {"picture": str(picture), "video": str(video)}
    out = tmp_path / "out.mp4"
    assert sample(config, "--out", out, *(files.get(word, word) for word in argv)) == 0
    assert shape(out) == (frames, 40, 32)
    record = read_record(out)
    assert record["mode"] == mode
    given = [word for word in argv if word in files]
    assert len(record.get("given", [])) == len(given)


def test_a_picture_is_edited_at_its_own_size_and_cut_where_another_is_asked_for(
    config: Path, tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample(config, "--out", tmp_path / "a.png", "--image", picture, "--strength", "0.4") == 0
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (96, 48)
    assert read_record(tmp_path / "a.png")["strength"] == 0.4
    capsys.readouterr()
    assert sample(config, "--out", tmp_path / "b.mp4", "--image", picture, "--size", "32x32") == 0
    assert "is 96x48 and is cut at its edges (fit: crop) to 32x32" in capsys.readouterr().err


def test_variations_have_names_and_noise_of_their_own(config: Path, tmp_path: Path) -> None:
    assert sample(config, "--out", tmp_path / "v.png", "--variations", "3", "--variation", "0.3") == 0
    records = [read_record(tmp_path / f"v-{k}.png") for k in (1, 2, 3)]
    assert [(record["seed"], record["variation_seed"]) for record in records] == [(0, 1), (0, 2), (0, 3)]
    assert len({pixels(tmp_path / f"v-{k}.png") for k in (1, 2, 3)}) == 3


def test_a_draft_is_written_beside_the_output(config: Path, tmp_path: Path) -> None:
    assert sample(config, "--out", tmp_path / "a.mp4", "--size", "64x64", "--draft") == 0
    assert shape(tmp_path / "a.draft.mp4") == (9, 32, 32)
    assert shape(tmp_path / "a.mp4") == (8, 64, 64)
    assert "draft" in read_record(tmp_path / "a.mp4")


def test_requests_of_a_file_are_made_together(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"prompt": "blue", "out": str(tmp_path / "a.png"), "size": "32x32"},
        {"prompt": "red", "out": str(tmp_path / "b.mp4"), "size": "64x32", "seconds": 0.5, "seed": 4},
    ]
    (tmp_path / "requests.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert main(["sample", str(config), "--requests", str(tmp_path / "requests.jsonl"), "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["prompt"], one["width"], one["num_frames"]) for one in told] == [("blue", 32, 1), ("red", 64, 4)]
    assert shape(tmp_path / "b.mp4") == (4, 64, 32)


def test_shots_follow_each_other_under_one_subject(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, shots = tmp_path / "out.mp4", tmp_path / "shots.yaml"
    listed = [{"prompt": "moves left", "seconds": 0.75}, {"prompt": "stands still", "seconds": 0.5, "cut": True}]
    shots.write_text(yaml.safe_dump(listed))
    assert sample(config, "--out", out, "--shots", shots, "--size", "32x32", "--steps", "2", prompt="a red circle") == 0
    assert shape(out) == (10, 32, 32)
    record = read_record(out)
    assert record["shots"] == [
        {"prompt": "a red circle moves left", "num_frames": 6, "is_cut": False},
        {"prompt": "a red circle stands still", "num_frames": 4, "is_cut": True},
    ]
    assert (record["mode"], record["num_frames"]) == ("shots", 10)
    capsys.readouterr()
    for wrong, message in (
        ("- {prompt: moves left}", "shots.0.seconds: field required"),
        ("prompt: moves left", "holds no list of shots"),
        ("- [", "cannot be read"),
        ("- {prompt: '', seconds: 1}\n- {prompt: an explicit porn scene, seconds: 1}", "the prompt is refused"),
        ("- {prompt: '', seconds: 1}\n- {prompt: '', seconds: 1.7e308}", "shot 2: seconds lie in 0 to 60"),
    ):
        shots.write_text(wrong)
        assert sample(config, "--out", tmp_path / "none.mp4", "--shots", shots, prompt="a circle") == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "none.mp4").exists()


def test_a_plan_tells_and_makes_nothing(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.mp4"
    assert sample(config, "--out", out, "--size", "1920x1080", "--seconds", "4", "--plan") == 0
    said = capsys.readouterr().out
    assert "33 of 1920x1088" in said
    assert "sequence parallel: degree" in said
    assert sample(config, "--out", out, "--plan", "--json") == 0
    assert json.loads(capsys.readouterr().out)["windows"][0]["num_tokens"] == 3 * 3 * 2
    assert not out.exists()


def test_a_prompt_is_written_out_or_stays_and_both_are_shown_and_recorded(
    config: Path, tmp_path: Path, terse_captioner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = [f"expand.model={terse_captioner}", "expand.kind=transformers"]
    assert sample(config, "--out", tmp_path / "a.png", "--expand", *engine) == 0
    # A model of random weights loses what the user said, so the user's own prompt is kept.
    assert f"prompt: {PROMPT!r} stays as it is" in capsys.readouterr().err
    record = read_record(tmp_path / "a.png")
    assert record["prompt"] == record["prompt_as_written"] == PROMPT


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["--out", "a.gif"], "--out ends in .mp4 or .png, got a.gif", id="ending"),
        pytest.param(["--out", "none/a.mp4"], "there is no folder none", id="folder"),
        pytest.param(["--size", "8x8"], "sides lie in 16 to 4096 pixels", id="too small"),
        pytest.param(["--size", "9000x64"], "got 9000x64", id="too large"),
        pytest.param(["--size", "wide"], "--size is WIDTHxHEIGHT", id="no size"),
        pytest.param(["--size", "41x32"], "an MP4 has even sides", id="odd"),
        pytest.param(["--seconds", "0"], "--seconds lies in 0 to 60", id="no length"),
        pytest.param(["--seconds", "61"], "--seconds lies in 0 to 60 (max_seconds), got 61", id="too long"),
        pytest.param(["--seconds", "nan"], "--seconds lies in 0 to 60", id="no number"),
        pytest.param(["--out", "a.png", "--seconds", "1"], "--seconds is for videos", id="length of a picture"),
        pytest.param(["--seed", "-1"], "the seed lies in 0 to", id="seed"),
        pytest.param(["--steps", "0"], "solver.steps: input should be greater than or equal to 1", id="steps"),
        pytest.param(["--variations", "0"], "--variations lies in 1 to 64", id="variations"),
        pytest.param(["--strength", "0.5"], "strength needs a video or an image", id="strength of nothing"),
        pytest.param(["--video", "video", "--strength", "1.5"], "the strength lies in (0, 1], got 1.5", id="strength"),
        pytest.param(["--extend", "forward"], "extend needs a video", id="extend what"),
        pytest.param(
            ["--video", "video", "--loop", "--extend", "both"], "extend and loop do not go together", id="both"
        ),
        pytest.param(["--video", "video", "--inpaint", "30,0,16x16"], "reaches beyond the 40x32 clip", id="region"),
        pytest.param(["--image", "video"], "given.mp4: is a video: give it by --video", id="a video for a picture"),
        pytest.param(["--video", "picture"], "given.png: is a picture: give it by --image", id="a picture for a video"),
        pytest.param(["--image", "bad.png"], "bad.png: ", id="does not decode"),
        pytest.param(["--image", "gone.png"], "gone.png: ", id="is not there"),
        pytest.param(["--expand"], "expand.model: is missing", id="expand"),
        pytest.param(["memory_gib=0.01"], "this device cannot hold what is asked for", id="memory"),
        pytest.param(
            ["--video", "video", "--size", "4000x4000", "memory_gib=0.5"],
            "what is given takes 2.",
            id="memory of a clip",
        ),
        pytest.param(["guidances.text=2"], "has no 'guidances'; did you mean 'guidance'?", id="key"),
        pytest.param(["text_encoder.max_tokens=9"], "text_encoder.model: has digest", id="encoder"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_status_2(
    config: Path,
    tmp_path: Path,
    picture: Path,
    video: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    files = {"picture": str(picture), "video": str(video)}
    out = [] if "--out" in argv else ["--out", "a.mp4"]
    before = sorted(tmp_path.iterdir())
    assert sample(config, *out, *(files.get(word, word) for word in argv)) == 2
    said = capsys.readouterr().err
    assert said.startswith("rushes: ")
    assert message in said
    assert "Traceback" not in said
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("prompt", "message"), [("", "the prompt is empty"), ("x" * 100_000, "has 100,000 bytes")])
def test_prompts_that_cannot_be_are_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], prompt: str, message: str
) -> None:
    assert sample(config, "--out", tmp_path / "a.png", prompt=prompt) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: is not JSON"),
        ("[]", "line 1: input should be a valid dictionary"),
        ('{"prompt": "p"}', "line 1: out: field required"),
        ('{"prompt": "p", "out": "a.png", "sizes": "1x1"}', "line 1: sizes: extra inputs are not permitted"),
        ("", "holds no request"),
    ],
)
def test_lines_that_ask_for_nothing_are_named(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    (tmp_path / "requests.jsonl").write_text(line)
    assert main(["sample", str(config), "--requests", str(tmp_path / "requests.jsonl")]) == 2
    assert message in capsys.readouterr().err


HOSTILE = "a n4ked w\u043eman on a bed"


def test_a_refused_prompt_is_one_sentence_and_nothing_is_made(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample(config, "--out", tmp_path / "a.png", prompt=HOSTILE) == 2
    said = capsys.readouterr().err
    assert said == "rushes: the prompt is refused by the policy: sexual content, rule 'sexual words' ('naked')\n"
    assert not (tmp_path / "a.png").exists()


def test_only_the_config_turns_the_policy_off(config: Path, tmp_path: Path) -> None:
    assert sample(config, "--out", tmp_path / "a.png", "policy=off", prompt=HOSTILE) == 0
    assert read_record(tmp_path / "a.png")["policy_digest"] is None
    assert sample(config, "--out", tmp_path / "b.png") == 0
    assert len(read_record(tmp_path / "b.png")["policy_digest"]) >= 32


def test_a_refused_request_has_a_row_and_the_others_are_made(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [{"prompt": prompt, "out": str(tmp_path / f"{k}.png")} for k, prompt in enumerate(("a cat", HOSTILE))]
    (tmp_path / "requests.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert main(["sample", str(config), "--requests", str(tmp_path / "requests.jsonl"), "--json"]) == 1
    refused, made = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (refused["out"], refused["category"], refused["rule"]) == (str(tmp_path / "1.png"), "sexual", "sexual words")
    assert made["out"] == str(tmp_path / "0.png")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["0.png"]
    (tmp_path / "requests.jsonl").write_text(json.dumps(lines[1]))
    assert main(["sample", str(config), "--requests", str(tmp_path / "requests.jsonl")]) == 2
    assert "every request is refused by the policy" in capsys.readouterr().err


def test_frames_that_the_policy_refuses_are_not_written(
    config: Path, tmp_path: Path, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "blocked.npy", np.ones((1, 24), np.float32))
    # Everything is as near as that.
    pictures = {
        "safety": {"blocklist": str(tmp_path / "blocked.npy")},
        "embedding": {"weights": str(tiny_clip)},
        "max_similarity": -1.0,
    }
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"pictures": pictures}))
    out = tmp_path / "a.mp4"
    assert sample(config, "--out", out, "--size", "64x64", "--draft", f"policy={tmp_path / 'policy.yaml'}") == 1
    said = capsys.readouterr()
    assert said.out == f"{out}: refused by the policy: another reason, rule 'a frame like one of the blocklist'\n"
    assert "draft: refused by the policy" in said.err
    assert list(tmp_path.glob("*.mp4")) == []
