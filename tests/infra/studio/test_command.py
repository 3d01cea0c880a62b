"""`rushes sample --serve` as a command."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.cli.main import main


@pytest.fixture
def config(sample_values: Callable[..., dict[str, Any]], tmp_path: Path) -> Path:
    path = tmp_path / "sample.yaml"
    path.write_text(yaml.safe_dump(sample_values()))
    return path


def test_the_command_serves_and_ends_in_peace(config: Path, tmp_path: Path) -> None:
    command = ["sample", str(config), "--serve", "--port", "0", "--json", "--out", str(tmp_path / "studio")]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "infra.cli.main", *command], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as said:
        url = json.loads(said.readline())["url"]
        with urllib.request.urlopen(url + "api/line", timeout=60) as answer:
            assert json.load(answer)["orders"] == []
        process.send_signal(2)
        assert process.wait(100) == 0
    assert url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["--prompt", "p"], "--serve does not go with --prompt", id="prompt"),
        pytest.param(["--out", "sample.yaml"], "cannot be used", id="a file for a folder"),
        pytest.param(["policy=gone.yaml"], "gone.yaml", id="no policy"),
        pytest.param(["--out", "s", "expand.model=gone"], "expand.model: gone: there is no such", id="no expansion"),
        pytest.param(["--port", "0", "--out", "s", "policy=blocked.yaml"], "gone.npy", id="found after it has begun"),
        pytest.param(["--host", "256.0.0.1", "--out", "s"], "--serve: 256.0.0.1", id="no address"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_status_2(
    config: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    Path("blocked.yaml").write_text(yaml.safe_dump({"pictures": {"safety": {"blocklist": "gone.npy"}}}))
    assert main(["sample", str(config), "--serve", *argv]) == 2
    said = capsys.readouterr().err
    assert said.startswith("rushes: ")
    assert message in said
    assert "Traceback" not in said
