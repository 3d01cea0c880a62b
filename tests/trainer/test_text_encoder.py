"""Each kind of text encoder from a folder that its library wrote, held against that library itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import pipeline.media.torchvision_cpu  # noqa: F401
from infra.demo.weights import CLIP_WEIGHTS
from schemas import ConfigError
from trainer.text_encoder import TextEncoderConfig, find_text_encoder, load_text_encoder
from trainer.token_batches import by_length

TEXTS = ["a small red circle moves to the left", "blue", "", "a red circle over a tiled floor while the camera pans"]
KINDS = ("t5", "umt5", "clip_text_model", "qwen2")


def save_tokenizer(folder: Path) -> int:
    """A tokenizer of whole words with an end, as small ones of transformers are; gives its size."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", *sorted({word for text in TEXTS for word in text.split()})]
    tokenizer = Tokenizer(models.WordLevel({word: k for k, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(folder)
    return len(words)


def save_model(folder: Path, kind: str) -> None:
    import transformers

    size = save_tokenizer(folder)
    common = {"vocab_size": size, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    ends = {"pad_token_id": 0, "eos_token_id": 1}
    networks: dict[str, Any] = {
        "t5": lambda: transformers.T5EncoderModel(
            transformers.T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
        ),
        "umt5": lambda: transformers.UMT5EncoderModel(
            transformers.UMT5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
        ),
        "clip_text_model": lambda: transformers.CLIPTextModel(
            transformers.CLIPTextConfig(**common, **ends, intermediate_size=32, max_position_embeddings=12)
        ),
        "qwen2": lambda: transformers.Qwen2Model(
            transformers.Qwen2Config(**common, **ends, intermediate_size=32, num_key_value_heads=2)
        ),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks[kind]().save_pretrained(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for kind in KINDS:
        made[kind] = tmp_path_factory.mktemp("text") / kind
        made[kind].mkdir()
        save_model(made[kind], kind)
    return made


def loaded(folder: Path, **values: Any) -> Any:
    return load_text_encoder(find_text_encoder(TextEncoderConfig(model=str(folder), **values)))


@pytest.mark.parametrize("kind", KINDS)
def test_each_text_has_its_own_tokens_and_no_padding(kind: str, folders: dict[str, Path]) -> None:
    encoder = loaded(folders[kind])
    found = encoder.encode(TEXTS)
    assert [len(vectors) for vectors in found] == [len(ids) for ids in encoder._tokenizer(TEXTS)["input_ids"]]
    assert len({len(vectors) for vectors in found}) > 2
    assert {tuple(vectors.shape[1:]) for vectors in found} == {(encoder.width,)} == {(16,)}
    assert {vectors.dtype for vectors in found} == {torch.float32}
    assert all(bool(vectors.isfinite().all()) for vectors in found)
    assert encoder.encode([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_beside_a_text_changes_nothing(kind: str, folders: dict[str, Path]) -> None:
    together = loaded(folders[kind]).encode(TEXTS)
    alone = loaded(folders[kind], batch_texts=1).encode(TEXTS)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_the_library(kind: str, folders: dict[str, Path]) -> None:
    import transformers

    names = {
        "t5": "T5EncoderModel",
        "umt5": "UMT5EncoderModel",
        "clip_text_model": "CLIPTextModel",
    }
    network = getattr(transformers, names.get(kind, "AutoModel")).from_pretrained(folders[kind]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[kind])
    ids = tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        expected = network(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(loaded(folders[kind]).encode(TEXTS[:1])[0], expected, rtol=1e-4, atol=1e-5)


def test_layers_of_a_language_model_can_be_left_out(folders: dict[str, Path]) -> None:
    whole, shorter = loaded(folders["qwen2"]), loaded(folders["qwen2"], skip_layers=1)
    assert not torch.allclose(whole.encode(TEXTS[:1])[0], shorter.encode(TEXTS[:1])[0], atol=1e-3)
    assert whole.digest != shorter.digest
    with pytest.raises(ConfigError, match="skip_layers is 9, and"):
        loaded(folders["qwen2"], skip_layers=9).encode(TEXTS)
    with pytest.raises(ConfigError, match="skip_layers is for language models"):
        loaded(folders["t5"], skip_layers=1)


def test_long_texts_are_cut_off(folders: dict[str, Path]) -> None:
    assert [len(vectors) for vectors in loaded(folders["t5"], max_tokens=4).encode(TEXTS)] == [4, 2, 1, 4]
    # Positions that a model has not learnt are not asked of it.
    assert len(loaded(folders["clip_text_model"]).encode([" ".join(TEXTS)])[0]) == 12


def test_the_world_s_clip_gives_a_vector_a_token() -> None:
    import open_clip
    from safetensors.torch import load_file

    encoder = loaded(CLIP_WEIGHTS.parent)
    found = encoder.encode([*TEXTS, "a red circle " * 40])
    assert encoder.width == 128
    assert len(found[2]) == 2
    assert len(found[4]) == 48
    # The last token's vector is what open_clip pools and projects.
    about = dict(encoder.source.files.about["model_cfg"])
    network = open_clip.CLIP(**about)
    network.load_state_dict(load_file(CLIP_WEIGHTS))
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(CLIP_WEIGHTS.parent / "merges.txt.gz"), context_length=48)
    with torch.inference_mode():
        expected = network.eval().encode_text(tokenizer(TEXTS[:1]))[0]
        pooled = found[0][-1] @ network.text_projection
    torch.testing.assert_close(pooled, expected, rtol=1e-3, atol=1e-3)


def test_what_is_no_text_encoder_is_one_sentence(folders: dict[str, Path], tmp_path: Path) -> None:
    def complaint(path: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            loaded(path)
        return str(caught.value)

    assert "there is no such folder" in complaint(tmp_path / "none")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes((folders["t5"] / "model.safetensors").read_bytes())
    assert "model_type is 'bert'; we know t5" in complaint(tmp_path)
    (tmp_path / "config.json").write_bytes((folders["qwen2"] / "config.json").read_bytes())
    assert "there is no tokenizer_config.json" in complaint(tmp_path)
    for path in folders["t5"].glob("tokenizer*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert "the weights lack" in complaint(tmp_path)


def test_batches_hold_texts_of_similar_length() -> None:
    assert list(by_length([3, 0, 9, 4, 1], 2)) == [[2, 3], [0, 4]]
    assert list(by_length([], 4)) == []
