from __future__ import annotations

import json
import sys
from pathlib import Path
from shutil import copy, copyfile, copytree

import pytest

from pipeline.clip import ClipConfig, find_clip, load_clip
from schemas import ConfigError


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a proxy where nothing listens."""
    from huggingface_hub import constants

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    # The first call keeps the proxies that it finds for all that follow.
    monkeypatch.setattr("urllib.request._opener", None)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_the_description_beside_the_weights_is_used(tiny_clip: Path) -> None:
    found = find_clip(ClipConfig(weights=str(tiny_clip)))
    assert found.width == 24
    assert found.preprocess["resize_mode"] == "shortest"
    assert found.merges == tiny_clip.parent / "merges.txt.gz"


def test_a_description_elsewhere_is_used_where_it_is_named(tiny_clip: Path, tmp_path: Path) -> None:
    copyfile(tiny_clip, tmp_path / "alone.safetensors")
    with pytest.raises(
        ConfigError, match=r"beside .*alone.safetensors lies neither model.json nor open_clip_config.json"
    ):
        find_clip(ClipConfig(weights=str(tmp_path / "alone.safetensors")))
    config = ClipConfig(weights=str(tmp_path / "alone.safetensors"), architecture=str(tiny_clip.parent / "model.json"))
    assert find_clip(config).digest == find_clip(ClipConfig(weights=str(tiny_clip))).digest


def test_the_digest_follows_weights_resize_and_vocabulary(tiny_clip: Path, tmp_path: Path) -> None:
    copytree(tiny_clip.parent, tmp_path / "m")
    weights = str(tmp_path / "m" / tiny_clip.name)
    digests = [find_clip(ClipConfig(weights=weights, resize=resize)).digest for resize in (None, "longest", "squash")]
    (tmp_path / "m" / "merges.txt.gz").write_bytes(b"other")
    digests.append(find_clip(ClipConfig(weights=weights)).digest)
    assert len(set(digests)) == 4
    assert find_clip(ClipConfig(weights=weights, gpus=1, batch_clips=3)).digest == digests[-1]


def test_a_description_never_points_out_of_its_folder(tiny_clip: Path, tmp_path: Path) -> None:
    copytree(tiny_clip.parent, tmp_path / "m")
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    described["model_cfg"]["text_cfg"]["tokenizer_kwargs"]["bpe_path"] = "../../etc/passwd"
    (tmp_path / "m" / "model.json").write_text(json.dumps(described))
    assert find_clip(ClipConfig(weights=str(tmp_path / "m" / tiny_clip.name))).merges == tmp_path / "m" / "passwd"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "is not JSON", id="no JSON"),
        pytest.param("[]", "it has no embed_dim", id="a list"),
        pytest.param('{"embed_dim": "8"}', "it has no embed_dim", id="width in words"),
        pytest.param('{"embed_dim": 8, "vision_cfg": {}}', "it has no text_cfg", id="half"),
        pytest.param(
            '{"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": 1}',
            "preprocess_cfg must hold keys",
            id="preprocess",
        ),
    ],
)
def test_a_description_that_is_none_is_refused(tiny_clip: Path, tmp_path: Path, text: str, said: str) -> None:
    copyfile(tiny_clip, tmp_path / "weights.safetensors")
    (tmp_path / "model.json").write_text(text)
    config = ClipConfig(weights=str(tmp_path / "weights.safetensors"))
    with pytest.raises(ConfigError, match=said):
        find_clip(config)


def test_an_unknown_architecture_names_the_near_miss(tiny_clip: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"embedding.architecture: open_clip has no model 'ViT-B-23'; did you mean 'ViT-"
    ):
        find_clip(ClipConfig(architecture="ViT-B-23", weights=str(tiny_clip)))


def test_an_unknown_tag_names_the_near_miss() -> None:
    with pytest.raises(ConfigError, match=r"open_clip has no weights 'openal' for ViT-B-32.*did you mean 'openai'"):
        find_clip(ClipConfig(architecture="ViT-B-32", weights="openal"))


def test_a_tag_without_an_architecture_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'openai' is neither a file nor does embedding.architecture name"):
        find_clip(ClipConfig(weights="openai"))


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(ClipConfig(architecture="ViT-B-32", weights="laion2b_s34b_b79k"), id="tag of the hub"),
        pytest.param(ClipConfig(architecture="RN50", weights="yfcc15m"), id="tag with an address"),
        pytest.param(ClipConfig(weights="hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"), id="hub"),
    ],
)
def test_weights_that_cannot_be_had_are_told_in_one_sentence(config: ClipConfig) -> None:
    with pytest.raises(
        ConfigError, match=r"^embedding.weights: .* is not in the cache and cannot be downloaded: .+$"
    ) as told:
        find_clip(config)
    assert "\n" not in str(told.value)


def test_a_named_architecture_prepares_pictures_as_all_its_weights_were_trained(tiny_clip: Path) -> None:
    siglip = find_clip(ClipConfig(architecture="ViT-B-16-SigLIP", weights=str(tiny_clip)))
    assert (siglip.preprocess["resize_mode"], siglip.preprocess["mean"]) == ("squash", (0.5, 0.5, 0.5))
    assert (
        find_clip(ClipConfig(architecture="ViT-B-32", weights=str(tiny_clip))).preprocess["resize_mode"] == "shortest"
    )


def test_a_model_of_the_hub_that_is_in_the_cache_needs_no_network(tiny_clip: Path, tmp_path: Path) -> None:
    cached = tmp_path / "hub" / "models--someone--tiny"
    copytree(tiny_clip.parent, cached / "snapshots" / "1234")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("1234")
    for old, new in (("model.json", "open_clip_config.json"), (tiny_clip.name, "open_clip_model.safetensors")):
        (cached / "snapshots" / "1234" / old).rename(cached / "snapshots" / "1234" / new)
    found = find_clip(ClipConfig(weights="hf-hub:someone/tiny"))
    assert found.digest == find_clip(ClipConfig(weights=str(tiny_clip))).digest
    assert load_clip(found).encode_texts(["a circle"]).shape == (1, 24)
    with pytest.raises(ConfigError, match=r"brings its architecture: leave out embedding.architecture"):
        find_clip(ClipConfig(weights="hf-hub:someone/tiny", architecture="ViT-B-32"))


def test_a_description_cannot_ask_for_code_to_be_run(tiny_clip: Path, tmp_path: Path) -> None:
    copytree(tiny_clip.parent, tmp_path / "m")
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    described["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "someone/evil"
    described["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    (tmp_path / "m" / "model.json").write_text(json.dumps(described))
    with pytest.raises(ConfigError, match=r"model.json: text_cfg.tokenizer_kwargs has trust_remote_code"):
        find_clip(ClipConfig(weights=str(tmp_path / "m" / tiny_clip.name)))


@pytest.mark.parametrize("kept", [0, 7, 200, -100], ids=["empty", "no length", "half a header", "the last bytes"])
def test_weights_that_are_cut_off_are_refused_before_the_start(tiny_clip: Path, tmp_path: Path, kept: int) -> None:
    copy(tiny_clip.parent / "model.json", tmp_path)
    (tmp_path / "w.safetensors").write_bytes(tiny_clip.read_bytes()[:kept])
    with pytest.raises(ConfigError, match=r"embedding.weights: .*w.safetensors is not a safetensors file: "):
        find_clip(ClipConfig(weights=str(tmp_path / "w.safetensors")))


def test_a_text_that_calls_itself_weights_is_refused_before_the_start(tiny_clip: Path, tmp_path: Path) -> None:
    copy(tiny_clip.parent / "model.json", tmp_path)
    (tmp_path / "w.safetensors").write_text("not found\n" * 50)
    with pytest.raises(ConfigError, match=r"embedding.weights: .*w.safetensors is not a safetensors file: "):
        find_clip(ClipConfig(weights=str(tmp_path / "w.safetensors")))


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tiny_clip: Path) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    for name in [name for name in sys.modules if name.partition(".")[0] == "open_clip"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigError, match=r"embedding.weights needs the package open_clip_torch, which is not inst"):
        find_clip(ClipConfig(weights=str(tiny_clip)))
