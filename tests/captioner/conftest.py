"""A tiny model that answers differently to different pictures, windows of frames, and a tiny film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captioner.engine import Window
from captioner.frames import ClipSpan
from pipeline.media import MediaLimits
from pipeline.media.container import open_container, quiet, select_stream
from pipeline.media.decode import Decoding
from pipeline.media.probe import probe
from schemas import Probe

TEXTS = [
    "Two small red circles move to the left over a tiled floor while the camera pans.",
    "A large blue square stands still on a green field; the light is soft.",
    "Describe this video for somebody who cannot see it, as one JSON object.",
] * 8
MakeWindow = Callable[..., Window]


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    quiet()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Qwen2.5-VL of 0.4 M parameters, whose random weights are large enough to listen to its input."""
    from captioner.random_start import RandomStartConfig, random_start

    folder = tmp_path_factory.mktemp("model") / "tiny"
    shape = {"width": 64, "layers": 2, "vision_width": 64, "vision_layers": 2, "patch_px": 14}
    random_start(RandomStartConfig(**shape, vocabulary=600, max_tokens=1024), TEXTS, folder)  # type: ignore[arg-type]
    _enliven(folder)
    return folder


def _enliven(folder: Path) -> None:
    """Make a fresh model say something: untouched it only repeats its last token, whatever it is shown.

    What it says is kept to ASCII, since engines differ in what half a character at the end of a text becomes.
    """
    import torch
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer

    path = folder / "model.safetensors"
    weights: dict[str, Any] = load_file(path)
    for name, weight in weights.items():
        if weight.dim() == 2 and "embed_tokens" not in name:
            weight *= 8
    (name,) = (name for name in weights if "embed_tokens" in name)
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab(with_added_tokens=True)
    mute = [k for word, k in vocabulary.items() if not _is_sayable(word)]
    weights[name][torch.tensor(mute)] *= 1e-3
    save_file(weights, path, metadata={"format": "pt"})


def _is_sayable(word: str) -> bool:
    if word == "<|im_end|>":
        return True
    # The alphabet of byte-level BPE: a space is one of the two letters.
    return not word.startswith("<|") and all(char in "\u0120\u010a" or char.isascii() for char in word)


@pytest.fixture(scope="session")
def make_window() -> MakeWindow:
    """Pictures in motion, `(num_frames, width, height, seed, rate)`."""

    def make(num_frames: int = 4, width: int = 56, height: int = 56, seed: int = 0, rate: float = 4.0) -> Window:
        rng = np.random.default_rng(seed)
        wide = rng.integers(0, 256, (height, width + 8 * num_frames, 3), np.uint8)
        frames = np.stack([wide[:, 8 * k : 8 * k + width] for k in range(num_frames)])
        return Window(frames, tuple((0.5 + k) / rate for k in range(num_frames)))

    return make


@dataclass(frozen=True)
class Film:
    """A film of 60 frames in three shots."""

    path: Path
    probe: Probe
    clips: list[ClipSpan]
    """One a shot, the whole picture."""


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    from infra.demo.tiny import tiny_film

    path = tmp_path_factory.mktemp("films") / "film.mp4"
    truth = tiny_film(path)
    with open_container(path) as container:
        probed = probe(container)
    with open_container(path) as container:
        decoding = Decoding(container, select_stream(container, 0, MediaLimits()), MediaLimits())
        times = [frame.pts for frame in decoding]
    ends = [*times, times[-1] + times[1]]
    clips = [
        ClipSpan(
            clip_id=f"{number:032x}",
            start_pts=ends[shot.start_frame],
            end_pts=ends[shot.end_frame],
            time_base=decoding.time_base,
            crop=(0, 0, probed.width, probed.height),
        )
        for number, shot in enumerate(truth.shots)
    ]
    return Film(path, probed, clips)
