from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.scorers.aesthetic import Aesthetic, AestheticConfig, missing
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.scorer import ClipView
from schemas import ConfigError, MediaError

WIDTH = 24


def _mlp(width: int = WIDTH) -> torch.nn.Sequential:
    """The published network, layer for layer, its dropouts included."""
    torch.manual_seed(0)
    sizes = ((width, 10), (10, 6), (6, 4), (4, 3), (3, 1))
    layers: list[torch.nn.Module] = []
    for index, (of, to) in enumerate(sizes):
        layers += [torch.nn.Linear(of, to)] + ([torch.nn.Dropout(0.2)] if index < 3 else [])
    return torch.nn.Sequential(*layers).eval()


def _scorer(path: Path, tensors: dict[str, torch.Tensor], tiny_clip: Path) -> Aesthetic:
    (save_file if path.suffix == ".safetensors" else torch.save)(tensors, path)
    return Aesthetic(AestheticConfig(weights=str(path)), EmbeddingConfig(weights=str(tiny_clip)))


def _unit(seed: int, width: int = WIDTH) -> np.ndarray:
    row = np.random.default_rng(seed).standard_normal(width)
    return np.asarray(row / np.linalg.norm(row), np.float32)


@pytest.mark.parametrize("name", ["head.safetensors", "sac+logos+ava1-l14-linearMSE.pth"])
def test_the_deep_head_gives_what_the_published_network_gives(tmp_path: Path, tiny_clip: Path, name: str) -> None:
    mlp = _mlp()
    scorer = _scorer(tmp_path / name, {f"layers.{key}": value for key, value in mlp.state_dict().items()}, tiny_clip)
    assert scorer.models().keys() == {"aesthetic"}
    scorer.setup()
    embeddings = [_unit(seed) for seed in range(5)]
    rows = scorer.score([ClipView(clip_id="c", embedding=embedding) for embedding in embeddings])
    with torch.no_grad():
        wanted = mlp(torch.from_numpy(np.stack(embeddings)))[:, 0].numpy()
    assert np.allclose([row["aesthetic"] for row in rows], wanted, atol=1e-5)


def test_the_linear_head_gives_weights_times_embedding_plus_bias(tmp_path: Path, tiny_clip: Path) -> None:
    tensors = {"weight": torch.arange(WIDTH, dtype=torch.float32)[None], "bias": torch.tensor([5.0])}
    scorer = _scorer(tmp_path / "sa_0_4_vit_b_32_linear.pth", tensors, tiny_clip)
    scorer.setup()
    embedding = np.zeros(WIDTH, np.float32)
    embedding[3] = 1
    assert scorer.score([ClipView(clip_id="c", embedding=embedding)]) == [{"aesthetic": 8.0}]


def test_a_clip_without_an_embedding_gets_null(tmp_path: Path, tiny_clip: Path) -> None:
    scorer = _scorer(tmp_path / "h.pt", {"weight": torch.ones(1, WIDTH), "bias": torch.zeros(1)}, tiny_clip)
    scorer.setup()
    assert scorer.score([ClipView(clip_id="c")]) == [{"aesthetic": None}]


def test_a_head_for_another_width_is_refused_before_the_start(tmp_path: Path, tiny_clip: Path) -> None:
    scorer = _scorer(tmp_path / "h.pt", {"weight": torch.ones(1, 768), "bias": torch.zeros(1)}, tiny_clip)
    with pytest.raises(ConfigError, match=r"h.pt judges embeddings of 768 numbers, those of embedding.weights have 24"):
        scorer.models()


def test_an_embedding_of_another_width_is_refused_with_both_numbers(tmp_path: Path, tiny_clip: Path) -> None:
    scorer = _scorer(tmp_path / "h.pt", {"weight": torch.ones(1, WIDTH), "bias": torch.zeros(1)}, tiny_clip)
    scorer.setup()
    with pytest.raises(MediaError, match="the embedding has 16 numbers, the head of aesthetic wants 24"):
        scorer.score([ClipView(clip_id="c", embedding=_unit(0, 16))])


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        pytest.param({"weight": torch.ones(1, 4)}, "it holds neither", id="no bias"),
        pytest.param({"layers.0.weight": torch.ones(1, 4)}, "it holds neither", id="deep without bias"),
        pytest.param({"weight": torch.ones(1, 4), "bias": torch.ones(2)}, "do not go with biases", id="bias"),
        pytest.param({"weight": torch.ones(3, 4), "bias": torch.ones(3)}, "gives 3 numbers a picture", id="three"),
        pytest.param(
            {
                "layers.0.weight": torch.ones(3, 4),
                "layers.0.bias": torch.ones(3),
                "layers.2.weight": torch.ones(1, 5),
                "layers.2.bias": torch.ones(1),
            },
            "a layer gives 3 numbers and the next takes 5",
            id="chain",
        ),
        pytest.param({"weight": torch.full((1, 4), float("nan")), "bias": torch.ones(1)}, "not finite", id="NaN"),
    ],
)
def test_what_is_no_head_is_refused(tmp_path: Path, tiny_clip: Path, tensors: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"aesthetic.weights: .*h.safetensors.*{said}"):
        _scorer(tmp_path / "h.safetensors", tensors, tiny_clip).setup()


def test_what_is_missing_is_named() -> None:
    assert missing(AestheticConfig(), EmbeddingConfig()) == "needs embedding.weights"
    assert missing(AestheticConfig(), EmbeddingConfig(weights="w.pt")) == "needs aesthetic.weights"
    assert missing(AestheticConfig(weights="h.pt"), EmbeddingConfig(weights="w.pt")) == ""
