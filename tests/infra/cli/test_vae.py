from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.cli.main import main
from infra.demo.tiny import tiny_film
from pipeline.manifest import Manifest
from pipeline.media.container import open_container, quiet
from pipeline.media.probe import probe
from schemas import content_id, digest

CONFIG = """
model:
  class_name: AutoencoderKL
  arguments:
    block_out_channels: [8, 8]
    layers_per_block: 1
    norm_num_groups: 4
    down_block_types: [DownEncoderBlock2D, DownEncoderBlock2D]
    up_block_types: [UpDecoderBlock2D, UpDecoderBlock2D]
window: {frames: 2, max_pixels: 1024, frame_rate: 25}
steps: 2
batch_clips: 2
num_measured: 2
readers: 1
held_out_share: 0.5
save_dtype: float16
"""


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Four films of one clip each, as the scan leaves them."""
    quiet()
    manifest = Manifest(str(tmp_path / "ds"))
    for number in range(4):
        path = tmp_path / f"film{number}.mp4"
        tiny_film(path, num_frames=12, cuts=(), seed=number, size=(96, 64))
        with open_container(path) as container:
            probed = probe(container).to_json()
        # Ids on both sides of the share that is kept back.
        video_id = content_id([path.read_bytes()])[:-8] + ("00000001" if number % 2 else "fffffffe")
        manifest.append("files", [{"uri": str(path), "video_id": video_id, "probe": json.dumps(probed)}])
        manifest.append("videos", [{"uri": str(path), "video_id": video_id, "num_repaired_pts": 0}])
        span = {"start_pts": 0, "end_pts": 12 * 512, "time_base_num": 1, "time_base_den": 12_800, "num_frames": 12}
        crop = {"crop_x": 0, "crop_y": 0, "crop_width": 96, "crop_height": 64}
        manifest.append("clips", [{"clip_id": digest(number), "video_id": video_id, **span, **crop}])
    (tmp_path / "config.yaml").write_text(CONFIG)
    return manifest.root


def test_it_trains_and_measures_on_what_is_kept_back(
    dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [str(tmp_path / "config.yaml"), "--dataset", dataset, "--out", str(tmp_path / "out")]
    assert main(["vae", "train", *common, "--json", "learning_rate=0.002"]) == 0
    said = capsys.readouterr()
    assert "2 clips to learn from, 2 kept back" in said.err
    told = json.loads(said.out)
    assert told["num_clips"] == 2
    assert told["psnr_db"] > 0
    assert told == json.loads((tmp_path / "out" / "figures.json").read_text())
    assert main(["vae", "evaluate", *common, "learning_rate=0.002"]) == 0
    assert f"PSNR {told['psnr_db']:.2f} dB" in capsys.readouterr().out


def test_mistakes_are_one_sentence(dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = [str(tmp_path / "config.yaml"), "--dataset", dataset, "--out", str(tmp_path / "out")]
    assert main(["vae", "train", *common, "step=3"]) == 2
    assert main(["vae", "train", *common, "window.frame=3"]) == 2
    assert "window has no 'frame'; did you mean 'frames'?" in capsys.readouterr().err
    assert main(["vae", "evaluate", *common]) == 2
    assert "out/vae: there is no such folder" in capsys.readouterr().err
    assert main(["vae", "train", common[0], "--dataset", str(tmp_path / "none"), *common[3:]]) == 2
    assert "there are no clips" in capsys.readouterr().err
