"""A new Qwen2.5-VL of any size with random weights, and the tokenizer and processor that go with it.

What training starts from where no weights are at hand, and what throughput is measured with.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from captioner.torch_ready import need_torch
from schemas import Config

_MARKS = (
    "<|endoftext|>",
    *("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
_HEAD_WIDTH = 32
"""Of the text's attention: the smallest that vLLM's kernels for CPUs know."""
_WAYS_OUT = ("attn.proj", "o_proj", "down_proj")
"""Ends of the names of layers whose output is added to what went in."""
_ADDED_AT_FIRST = 0.1
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class RandomStartConfig(Config):
    """The shape of a new model."""

    width: int = Field(128, ge=_HEAD_WIDTH, multiple_of=_HEAD_WIDTH)
    """Of the text's transformer."""
    layers: int = Field(4, ge=1)
    """Of the text's transformer."""
    vision_width: int = Field(128, ge=32, multiple_of=32)
    """Of the pictures' transformer."""
    vision_layers: int = Field(4, ge=1)
    """Of the pictures' transformer."""
    patch_px: int = Field(14, ge=2)
    """Side of a patch; two by two of them are one token."""
    vocabulary: int = Field(2000, ge=300)
    """Tokens of the tokenizer, which is learnt from the texts that there are."""
    max_tokens: int = Field(4096, ge=64)
    """Longest sequence."""
    seed: int = Field(0, ge=0)
    """Of the weights."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if (self.width // _HEAD_WIDTH) % 2 and self.width > _HEAD_WIDTH:
            raise ValueError(f"width {self.width} must be an even number of heads of {_HEAD_WIDTH}")
        return self


def random_start(config: RandomStartConfig, texts: Iterable[str], out: Path) -> int:
    """Write a new model's folder.

    Args:
        config: Its shape.
        texts: What the tokenizer is learnt from.
        out: The folder; made where it is missing.

    Returns:
        How many parameters it has.
    """
    need_torch()
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer = _tokenizer(texts, config.vocabulary)
    number = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in _MARKS}
    heads = config.width // _HEAD_WIDTH
    ends = {"bos_token_id": number["<|endoftext|>"], "eos_token_id": number["<|im_end|>"]}
    shape = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": config.width,
            "intermediate_size": 4 * config.width,
            "num_hidden_layers": config.layers,
            "num_attention_heads": heads,
            "num_key_value_heads": max(1, heads // 2),
            "max_position_embeddings": config.max_tokens,
            # Of half a head: time, height, width.
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [4, 6, 6]},
            "tie_word_embeddings": True,
            **ends,
        },
        vision_config={
            "depth": config.vision_layers,
            "hidden_size": config.vision_width,
            "intermediate_size": 2 * config.vision_width,
            "num_heads": config.vision_width // 32,
            "out_hidden_size": config.width,
            "patch_size": config.patch_px,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 8 * config.patch_px,
            # Pictures of small models are small: every layer sees all of one.
            "fullatt_block_indexes": list(range(config.vision_layers)),
            "tokens_per_second": 2,
        },
        image_token_id=number["<|image_pad|>"],
        video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"],
        vision_end_token_id=number["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    torch.manual_seed(config.seed)
    new: Any = Qwen2_5_VLForConditionalGeneration
    model = new(shape)
    _scale_weights(model)
    model.generation_config.eos_token_id = number["<|im_end|>"]
    model.generation_config.pad_token_id = number["<|endoftext|>"]
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    pixels = {"min_pixels": (2 * config.patch_px) ** 2, "max_pixels": 1 << 26}
    grid = {"patch_size": config.patch_px, "merge_size": 2, "temporal_patch_size": 2}
    images, videos = Qwen2VLImageProcessor(**pixels, **grid), Qwen2VLVideoProcessor(**pixels, **grid)
    parts = {"image_processor": images, "tokenizer": tokenizer, "video_processor": videos}
    joined: Any = Qwen2_5_VLProcessor
    processor = joined(**parts, chat_template=_TEMPLATE)
    processor.save_pretrained(out)
    return sum(parameter.numel() for parameter in model.parameters())


def _scale_weights(model: Any) -> None:
    """Draw the weights of linear layers so that they neither enlarge nor diminish what they are given.

    The library draws all with a deviation of 0.02, which is right at a width of some thousands; in a small model
    attention is then even over all pictures, and hundreds of steps go by before it looks at any. What layers add to
    their input starts small, so that a token tells at first of its own place.

    Source: LeCun et al. 1998, "Efficient BackProp", 4.6: deviation 1 / sqrt(inputs).
    """
    import torch

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv3d):
            share = _ADDED_AT_FIRST if name.endswith(_WAYS_OUT) else 1.0
            torch.nn.init.normal_(module.weight, std=share * module.weight[0].numel() ** -0.5)
        elif isinstance(module, torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)


def _tokenizer(texts: Iterable[str], size: int) -> Any:
    """A byte-level BPE tokenizer learnt from texts; any text can be written in it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers.models.qwen2 import tokenization_qwen2

    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(_MARKS), initial_alphabet=alphabet, show_progress=False
    )
    learnt.train_from_iterator(texts, trainer)
    new: Any = tokenization_qwen2.Qwen2Tokenizer
    tokenizer = new(
        tokenizer_object=learnt,
        **{"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
        additional_special_tokens=list(_MARKS),
    )
    tokenizer.chat_template = _TEMPLATE
    return tokenizer
