"""`rushes captioner`, from films to a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from infra.cli.main import main
from infra.demo.answered import make_answered

TRAIN = {
    "start": {"width": 64, "layers": 1, "vision_width": 64, "vision_layers": 1, "vocabulary": 400, "max_tokens": 512},
    "frames": {"num_frames": 2, "max_pixels": 7056},
    "phases": [{"prompt": "short", "kinds": {"short": 1}, "steps": 2}],
    "batch_size": 4,
    "threads": 2,
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of six films, and the answers about them beside it."""
    folder = tmp_path_factory.mktemp("films")
    make_answered(folder / "films", seed=70, num=6)
    scan = ["scan.detector=content", "scan.detector_params={threshold: 255}"]
    run = ["run", "--input", str(folder / "films"), "--dataset", str(folder / "ds"), "--until", "scan"]
    assert main([*run, "--executor", "local", *scan]) == 0
    return folder


def test_it_trains_and_measures(films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(TRAIN))
    answers = f"answers=[{films}/films/answers.jsonl]"
    dataset = ["--dataset", str(films / "ds")]
    assert (
        main(["captioner", "train", str(tmp_path / "train.yaml"), *dataset, "--out", str(tmp_path / "out"), answers])
        == 0
    )
    assert "caption.engine.model=" in capsys.readouterr().out
    engine = {"kind": "transformers", "model": str(tmp_path / "out/model"), "max_model_len": 512}
    rival = {"name": "mine", "prompt": "short", "is_structured": False, "engine": engine, "max_tokens": 16}
    measure = {"captioners": [rival], "frames": TRAIN["frames"], "num_clips": 4}
    (tmp_path / "evaluate.yaml").write_text(yaml.safe_dump(measure))
    assert main(["captioner", "evaluate", str(tmp_path / "evaluate.yaml"), *dataset, "--json", answers]) == 0
    row = json.loads(capsys.readouterr().out)["mine"]
    assert row["clips"] == 4
    assert {"shape", "camera", "refused"} <= row.keys()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param("answers=[none.jsonl]", "answers: none.jsonl: cannot be read", id="no answers"),
        pytest.param("batch_sise=4", "the config has no 'batch_sise'; did you mean 'batch_size'?", id="near miss"),
        pytest.param("model=nowhere", "model: nowhere: there is no such folder", id="no model"),
        pytest.param("phases=[]", "phases is empty", id="nothing to do"),
    ],
)
def test_a_mistake_is_one_sentence(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, said: str
) -> None:
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(TRAIN))
    given = [] if change.startswith("answers") else [f"answers=[{films}/films/answers.jsonl]"]
    dataset = ["--dataset", str(films / "ds"), "--out", str(tmp_path / "out")]
    assert main(["captioner", "train", str(tmp_path / "train.yaml"), *dataset, *given, change]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_dataset_without_captions_is_told(films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(TRAIN))
    dataset = ["--dataset", str(films / "ds"), "--out", str(tmp_path / "out")]
    assert main(["captioner", "train", str(tmp_path / "train.yaml"), *dataset]) == 2
    assert "no clip of the dataset has a caption" in capsys.readouterr().err
