from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.clip import ClipConfig, ClipModel, find_clip, load_clip
from pipeline.clip.model import build_network, fill, find_tokenizer
from pipeline.clip.tensors import read_tensors, write_tensors
from schemas import ConfigError

SIZES = ((40, 40), (30, 90), (90, 30), (7, 5), (64, 33))


@pytest.fixture(scope="module")
def model(tiny_clip: Path) -> ClipModel:
    return load_clip(find_clip(ClipConfig(weights=str(tiny_clip))))


def _pictures(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


def test_pictures_of_any_shape_get_embeddings_of_unit_length(model: ClipModel) -> None:
    encoded = model.encode_pictures(_pictures())
    assert encoded.shape == (5, 24)
    assert encoded.dtype == np.float32
    assert np.allclose(np.linalg.norm(encoded, axis=1), 1, atol=1e-6)


def test_texts_get_embeddings_of_unit_length_however_long(model: ClipModel) -> None:
    encoded = model.encode_texts(["a red circle", "", "circle " * 500, "żółw 🐢"])
    assert np.allclose(np.linalg.norm(encoded, axis=1), 1, atol=1e-6)


def test_no_pictures_and_no_texts_give_no_rows(model: ClipModel) -> None:
    assert model.encode_pictures([]).shape == model.encode_texts([]).shape == (0, 24)


def test_the_same_pictures_give_the_same_bytes_from_a_model_loaded_twice(model: ClipModel) -> None:
    again = load_clip(model.source)
    assert np.array_equal(model.encode_pictures(_pictures()), again.encode_pictures(_pictures()))
    assert np.array_equal(model.encode_texts(["a circle"]), again.encode_texts(["a circle"]))


def test_the_embedding_is_that_of_open_clip_itself(model: ClipModel) -> None:
    from open_clip import image_transform
    from PIL import Image

    picture = _pictures()[1]
    with torch.inference_mode():
        raw = model.network.encode_image(image_transform(32, is_train=False)(Image.fromarray(picture))[None])[0].numpy()
    assert np.allclose(model.encode_pictures([picture])[0], raw / np.linalg.norm(raw), atol=1e-6)


def test_resize_decides_what_a_wide_picture_shows(tiny_clip: Path) -> None:
    wide = np.zeros((32, 128, 3), np.uint8)
    sides = wide.copy()
    sides[:, :32] = sides[:, -32:] = 255
    for resize, sees_sides in (("shortest", False), ("longest", True), ("squash", True)):
        model = load_clip(find_clip(ClipConfig(weights=str(tiny_clip), resize=resize)))
        plain, changed = model.encode_pictures([wide, sides])
        assert np.array_equal(plain, changed) != sees_sides


@pytest.mark.parametrize("suffix", [".pt", ".bin"])
def test_weights_in_a_pickle_of_half_precision_give_nearly_the_same(
    tiny_clip: Path, tmp_path: Path, suffix: str
) -> None:
    tensors = {name: tensor.half() for name, tensor in read_tensors(tiny_clip, "w").items()}
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}}, tmp_path / f"w{suffix}")
    config = ClipConfig(weights=str(tmp_path / f"w{suffix}"), architecture=str(tiny_clip.parent / "model.json"))
    found = load_clip(find_clip(config)).encode_pictures(_pictures())
    assert np.allclose(
        found, load_clip(find_clip(ClipConfig(weights=str(tiny_clip)))).encode_pictures(_pictures()), atol=0.01
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda t: t.pop("text_projection"), "lacks text_projection and 0 more", id="missing"),
        pytest.param(lambda t: t.update(extra=torch.ones(1)), "has extra and 0 more that have no place", id="unknown"),
        pytest.param(
            lambda t: t.update(text_projection=torch.ones(32, 23)),
            r"text_projection is \(32, 23\), the architecture wants \(32, 24\)",
            id="shape",
        ),
        pytest.param(
            lambda t: t.update(text_projection=torch.full((32, 24), float("nan"))),
            "text_projection holds values that are not finite",
            id="NaN",
        ),
        pytest.param(lambda t: t["visual.proj"].fill_(3e38), "gives embeddings that are not finite", id="overflow"),
    ],
)
def test_weights_of_another_model_are_refused(tiny_clip: Path, tmp_path: Path, change: object, said: str) -> None:
    tensors = read_tensors(tiny_clip, "w")
    change(tensors)
    write_tensors(tmp_path / "w.safetensors", tensors)
    config = ClipConfig(weights=str(tmp_path / "w.safetensors"), architecture=str(tiny_clip.parent / "model.json"))
    with pytest.raises(ConfigError, match=rf"embedding.weights: .*w.safetensors.*{said}"):
        load_clip(find_clip(config))


def test_weights_for_another_picture_size_are_not_stretched_to_fit(tiny_clip: Path) -> None:
    source = find_clip(ClipConfig(weights=str(tiny_clip)))
    larger = {**source.model, "vision_cfg": {**source.model["vision_cfg"], "image_size": 64}}
    with pytest.raises(ConfigError, match=r"visual.positional_embedding"):
        fill(build_network(larger, "a"), read_tensors(tiny_clip, "w"), "w")


def test_a_model_of_two_towers_takes_weights_in_the_older_form(tiny_clip: Path) -> None:
    source = find_clip(ClipConfig(weights=str(tiny_clip)))
    network = build_network({**source.model, "custom_text": True}, "a")
    fill(network, read_tensors(tiny_clip, "w"), "w")
    old = load_clip(source)
    new = ClipModel(source, network, "cpu")
    assert np.allclose(old.encode_texts(["a circle"]), new.encode_texts(["a circle"]), atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"vision_cfg": {"colour": 1}}, id="unknown key"),
        pytest.param({"text_cfg": {"width": 30, "heads": 4}}, id="no whole heads"),
        pytest.param({"text_cfg": {"hf_model_name": "nobody/nothing"}}, id="a text tower that is not here"),
        pytest.param({"vision_cfg": {"timm_model_name": "no_such_model"}}, id="a vision tower that is unknown"),
    ],
)
def test_a_description_that_open_clip_cannot_build_is_refused(tiny_clip: Path, change: dict[str, object]) -> None:
    model = {**find_clip(ClipConfig(weights=str(tiny_clip))).model, **change}
    with pytest.raises(ConfigError, match="here: open_clip cannot build it"):
        build_network(model, "here")


def test_a_tokenizer_that_is_not_here_is_told(tiny_clip: Path) -> None:
    source = find_clip(ClipConfig(architecture="ViT-B-16-SigLIP", weights=str(tiny_clip)))
    with pytest.raises(ConfigError, match=r"the tokenizer of .* cannot be had"):
        find_tokenizer(source)
