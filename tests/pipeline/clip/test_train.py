from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pipeline.clip import ClipConfig, find_clip, load_clip
from pipeline.clip.batches import Batches
from pipeline.clip.evaluate import evaluate
from pipeline.clip.optimizer import learning_rate
from pipeline.clip.pairs import CaptionedClip, captioned_clips, split
from pipeline.clip.tensors import read_tensors
from pipeline.clip.train import CHECKPOINT_FILE, WEIGHTS_FILE, train
from pipeline.clip.train_config import ClipTrainConfig
from schemas import ConfigError

MODEL = {
    "embed_dim": 24,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32},
    "text_cfg": {"context_length": 32, "width": 32, "heads": 2, "layers": 1},
}
CONFIG = ClipTrainConfig(
    model=MODEL, steps=20, batch_size=16, learning_rate=3e-3, warmup_steps=3, max_merges=200, checkpoint_steps=20
)


@pytest.fixture(scope="module")
def clips(captioned_dataset: str) -> list[CaptionedClip]:
    return captioned_clips([captioned_dataset])


@pytest.fixture(autouse=True)
def _threads() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _train(config: ClipTrainConfig, clips: list[CaptionedClip], out: Path, stop: int | None = None) -> list[float]:
    losses: list[float] = []

    def report(done: int, loss: float) -> None:
        losses.append(loss)
        if done == stop:
            raise KeyboardInterrupt

    if stop is None:
        train(config, clips, out, report)
    else:
        with pytest.raises(KeyboardInterrupt):
            train(config, clips, out, report)
    return losses


def test_twenty_steps_lower_the_loss_and_give_a_model_that_loads(clips: list[CaptionedClip], tmp_path: Path) -> None:
    losses = _train(CONFIG, clips, tmp_path)
    assert len(losses) == 20
    assert sum(losses[-3:]) / 3 < sum(losses[:3]) / 3 - 0.2
    model = load_clip(find_clip(ClipConfig(weights=str(tmp_path / WEIGHTS_FILE))))
    assert read_tensors(tmp_path / WEIGHTS_FILE, "w")["visual.proj"].dtype == torch.float16
    assert evaluate(model, clips).auc > 0.6


def test_a_stopped_training_goes_on_to_the_same_weights(clips: list[CaptionedClip], tmp_path: Path) -> None:
    straight = _train(CONFIG, clips, tmp_path / "straight")
    config = CONFIG.model_copy(update={"checkpoint_steps": 5})
    first = _train(config, clips, tmp_path / "stopped", stop=12)
    second = _train(config, clips, tmp_path / "stopped")
    assert first + second[2:] == straight
    both = [(tmp_path / name / WEIGHTS_FILE).read_bytes() for name in ("straight", "stopped")]
    assert both[0] == both[1]


def test_a_checkpoint_of_another_run_is_refused(clips: list[CaptionedClip], tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"steps": 2})
    _train(config, clips, tmp_path)
    with pytest.raises(ConfigError, match=r"checkpoint.safetensors is of a run with another config"):
        _train(config.model_copy(update={"seed": 1}), clips, tmp_path)
    with pytest.raises(ConfigError, match=r"checkpoint.safetensors is of a run with another config"):
        _train(config, clips[:-1], tmp_path)


def test_a_damaged_checkpoint_is_refused(clips: list[CaptionedClip], tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"steps": 1})
    _train(config, clips, tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=r"checkpoint.safetensors is not a safetensors file"):
        _train(config, clips, tmp_path)


def test_too_few_clips_for_a_batch_are_told_with_both_numbers(clips: list[CaptionedClip], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size is 16, and there are only 5 clips"):
        train(CONFIG, clips[:5], tmp_path, lambda done, loss: None)


def test_a_model_without_its_parts_is_refused(clips: list[CaptionedClip], tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"model": {"embed_dim": 4, "vision_cfg": {}}})
    with pytest.raises(ConfigError, match=r"model.text_cfg is missing"):
        train(config, clips, tmp_path, lambda done, loss: None)


def test_a_pass_shows_each_clip_once_and_another_pass_in_another_order(clips: list[CaptionedClip]) -> None:
    batches = Batches(CONFIG, clips, lambda picture: torch.zeros(3, 32, 32), lambda texts: torch.zeros(1))
    passes = [[index for step in range(3 * turn, 3 * turn + 3) for index in batches.indices(step)] for turn in (0, 1)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(48))
    assert passes[0] != passes[1]


def test_a_window_keeps_the_picture_s_aspect(clips: list[CaptionedClip]) -> None:
    seen: list[tuple[int, int]] = []

    def note(picture: object) -> torch.Tensor:
        seen.append(picture.size)
        return torch.zeros(3, 32, 32)

    config = CONFIG.model_copy(update={"min_crop": 0.5})
    batches = Batches(config, clips, note, lambda texts: torch.zeros(1))
    whole = [clips[index].pictures()[0].shape for index in batches.indices(0)]
    batches[0]
    assert all(abs(width / height - w / h) < 0.03 for (width, height), (h, w, _) in zip(seen, whole, strict=True))
    assert min(width / w for (width, _), (_, w, _) in zip(seen, whole, strict=True)) < 0.8


def test_the_rate_rises_along_a_line_and_falls_to_nothing() -> None:
    config = CONFIG.model_copy(update={"steps": 100, "warmup_steps": 10, "learning_rate": 1.0})
    assert learning_rate(config, 4) == 0.5
    assert learning_rate(config, 10) == 1.0
    assert learning_rate(config, 55) == pytest.approx(0.5)
    assert learning_rate(config, 99) < 0.001


def test_the_split_is_of_videos_and_stays_when_clips_are_added(clips: list[CaptionedClip]) -> None:
    learnt, kept = split(clips, 0.3)
    assert 5 < len(kept) < 25
    assert {clip.video_id for clip in learnt}.isdisjoint(clip.video_id for clip in kept)
    assert split(clips[:20], 0.3)[1] == [clip for clip in kept if clip in clips[:20]]


def test_a_dataset_without_captions_is_told(tmp_path: Path) -> None:
    from pipeline.dataset import Dataset

    with pytest.raises(ConfigError, match="holds no dataset"):
        captioned_clips([str(tmp_path)])
    dataset = Dataset(str(tmp_path))
    dataset.write_description({}, {})
    with pytest.raises(ConfigError, match="holds no clip with a caption"):
        captioned_clips([str(tmp_path)])


def test_the_description_is_open_clip_s_own_form(clips: list[CaptionedClip], tmp_path: Path) -> None:
    _train(CONFIG.model_copy(update={"steps": 1}), clips, tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    assert described["model_cfg"]["text_cfg"]["vocab_size"] == 512 + 200 + 2
    assert described["preprocess_cfg"]["resize_mode"] == "shortest"
