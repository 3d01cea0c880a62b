"""`rushes evaluate` from the command line to the table, with a model that has learnt nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from infra.cli.main import main
from infra.demo.captioned import draw_captioned
from infra.demo.captions import caption
from infra.demo.encode import Encoding, encode
from infra.demo.render import render_shot
from infra.demo.staged import stage


@pytest.fixture
def config(sample_values: Callable[..., dict[str, Any]], tmp_path: Path) -> Path:
    values = {
        "sampling": sample_values(solver={"steps": 1}, guidance={"text": 1.0}, frame_rate=7.5),
        "out": str(tmp_path / "out"),
        "num_prompts": 2,
        "sizes": {"trained": [[96, 64]], "between": [[80, 80]], "larger": []},
        "num_frames": [5],
        "num_shuffles": 1,
        "workers": 1,
        "modes": {"num": 1, "size": [64, 64], "num_given": 9, "num_made": 8, "num_whole": 9, "long_seconds": 2.0},
    }
    path = tmp_path / "evaluate.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A video of the world beside its caption, and one beside the record of another kind."""
    folder = tmp_path / "videos"
    folder.mkdir()
    rate = Fraction(15, 2)
    times_s = [k / float(rate) for k in range(15)]
    for name, (scene, prompt) in {"a": stage("turns", 3, 2.0, 4 / 3), "b": stage("return", 5, 2.0, 4 / 3)}.items():
        encode(folder / f"{name}.mp4", render_shot(scene, (160, 120), times_s), Encoding(frame_rate=rate))
        if name == "a":
            (folder / "a.txt").write_text(prompt)
        else:
            (folder / "b.json").write_text(json.dumps({"prompt": prompt, "seed": 5}))
    return folder


# Half a minute; judging by the command is tested below on ready videos. `make stress` runs it.
@pytest.mark.stress
def test_a_model_that_has_learnt_nothing_scores_nothing_below_footage_and_nothing_is_made_twice(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", str(config), "--only", "adherence"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].split() == ["score", "95", "%", "ceiling", "floor", "chance", "n"]
    made = {path.name: path.stat().st_mtime_ns for path in (out / "videos").glob("*.mp4")}
    assert len(made) == 2
    assert all(json.loads((out / "videos" / name).with_suffix(".json").read_text())["prompt"] for name in made)
    table = json.loads((out / "table.json").read_text())
    color = next(line for line in table["lines"] if line["name"] == "color")
    assert color["score"] == 0
    assert color["ceiling"] > 0.6
    rows = pq.read_table(out / "verdicts.parquet").to_pylist()
    assert {row["source"] for row in rows} == {"made", "ceiling", "floor"}
    assert (out / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert "What was asked for" in (out / "index.html").read_text()
    first = (out / "verdicts.parquet").read_bytes()
    assert main(["evaluate", str(config), "--only", "adherence", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lines"] == table["lines"]
    assert {path.name: path.stat().st_mtime_ns for path in (out / "videos").glob("*.mp4")} == made
    assert (out / "verdicts.parquet").read_bytes() == first


# Half a minute; what is measured is tested in `test_modes.py`. `make stress` runs it.
@pytest.mark.stress
def test_every_way_of_sampling_is_run_and_measured_once(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(config), "--only", "modes", "--json"]) == 0
    ways = json.loads(capsys.readouterr().out)["ways"]
    names = {line["measure"].partition(":")[0] for line in ways}
    assert names == {"image", "forward", "backward", "connect", "loop", "edit", "shots", "long"}
    by_name = {line["measure"]: line for line in ways}
    # The first frame is the autoencoder's alone, whatever the model has learnt.
    assert by_name["image: first frame, dB"]["reached"] == 1
    assert by_name["edit: colour has changed"]["reached"] == 0
    assert by_name["shots: subject right"]["middle"] == 0
    assert by_name["shots: subject right"]["ceiling"] >= 2 / 3
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "ways").iterdir()}
    assert main(["evaluate", str(config), "--only", "modes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ways"] == ways
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "ways").iterdir()} == kept


def test_ready_videos_are_judged_against_the_prompts_beside_them(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--videos", str(videos), "--out", str(tmp_path / "judged"), "--json"]) == 0
    lines = {line["name"]: line for line in json.loads(capsys.readouterr().out)["lines"]}
    for aspect in ("color", "shape", "order", "returned"):
        assert lines[aspect]["score"] == 1, aspect
    assert lines["color"]["floor"] < 1
    assert (tmp_path / "judged" / "verdicts.parquet").exists()


def test_a_film_of_the_world_with_its_own_caption_is_told_from_one_with_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, size, _ = draw_captioned(51_000_003, "held_out")
    other, _, _ = draw_captioned(50_000_000, "held_out")
    for name, shown in (("own", scene), ("other", other)):
        folder = tmp_path / name
        folder.mkdir()
        encode(
            folder / "x.mp4",
            render_shot(scene, size, [k / 7.5 for k in range(9)]),
            Encoding(frame_rate=Fraction(15, 2)),
        )
        (folder / "x.txt").write_text(caption(shown).short)
        assert main(["evaluate", "--videos", str(folder), "--json"]) == 0
        lines = {line["name"]: line["score"] for line in json.loads(capsys.readouterr().out)["lines"]}
        assert lines["color"] == lines["shape"] == float(name == "own")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param([], "CONFIG.yaml is missing, or --videos DIR", id="nothing"),
        pytest.param(["config", "--only", "colour"], "--only has no 'colour'; it takes adherence", id="part"),
        pytest.param(["config", "--videos", "."], "--videos judges what is there", id="both"),
        pytest.param(["config", "num_prompt=3"], "has no 'num_prompt'; did you mean 'num_prompts'?", id="key"),
        pytest.param(["config", "sizes.trained=[[63, 64]]"], "sizes have even sides of 64 to 4096 pixels", id="size"),
        pytest.param(["config", "num_frames=[2]"], "num_frames holds lengths of at least 4 frames", id="length"),
        pytest.param(["config", "sampling.model=gone"], "gone: holds no exported model", id="model"),
        pytest.param(["--videos", "gone"], "--videos: there is no folder gone", id="folder"),
        pytest.param(["--videos", "empty"], "empty: holds no video", id="no video"),
        pytest.param(
            ["--videos", "mute"], "x.mp4: has no prompt: there is no x.txt and no x.json beside it", id="mute"
        ),
        pytest.param(["--videos", "strange"], "its prompt names nothing of the miniature world: 'a cat'", id="strange"),
        pytest.param(["--videos", "broken"], "x.json: has no text under 'prompt'", id="record"),
        pytest.param(["--videos", "rubbish"], "x.mp4: ", id="does not decode"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_status_2(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, beside in {
        "empty": None,
        "mute": {},
        "strange": {"x.txt": "a cat"},
        "broken": {"x.json": "[]"},
        "rubbish": {"x.txt": "a small red circle"},
    }.items():
        Path(name).mkdir()
        if beside is not None:
            Path(name, "x.mp4").write_bytes(b"rubbish")
            for file, text in beside.items():
                Path(name, file).write_text(text)
    assert main(["evaluate", *(str(config) if word == "config" else word for word in argv)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("rushes: ")
    assert message in said
    assert "Traceback" not in said
