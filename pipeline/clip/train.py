"""Train a small CLIP on captioned clips: a step is a pure function of its number, so that a stop loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clip.batches import Batches
from pipeline.clip.model import build_network, picture_transform
from pipeline.clip.optimizer import Optimizer
from pipeline.clip.pairs import CaptionedClip
from pipeline.clip.source import complete_preprocess
from pipeline.clip.tensors import write_tensors
from pipeline.clip.train_config import ClipTrainConfig
from pipeline.clip.vocabulary import NUM_BASE_TOKENS, NUM_SPECIAL_TOKENS, learn_merges, load_tokenizer, write_merges
from schemas import ConfigError, digest

if TYPE_CHECKING:
    import torch

MODEL_FILE = "model.json"
MERGES_FILE = "merges.txt.gz"
WEIGHTS_FILE = "weights.safetensors"
CHECKPOINT_FILE = "checkpoint.safetensors"

Report = Callable[[int, float], None]
"""Told the number of steps done and the loss of the last one."""


def train(config: ClipTrainConfig, clips: Sequence[CaptionedClip], out: Path, report: Report) -> None:
    """Train, going on from the checkpoint in `out` where there is one, and save the model in open_clip's form.

    Args:
        config: How.
        clips: What to learn from; at least a batch of them.
        out: Where `model.json`, `merges.txt.gz`, `weights.safetensors` (float16) and the checkpoint go.
        report: Called after each step.

    Raises:
        ConfigError: There are too few clips, the model cannot be built, `out` cannot be written, or the
            checkpoint there is of another run.
    """
    import torch

    if len(clips) < config.batch_size:
        raise ConfigError(f"batch_size is {config.batch_size}, and there are only {len(clips)} clips to learn from")
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    described = _describe(config, clips, out)
    model = described["model_cfg"]
    # Convolutions with few channels are 1.4 times as fast this way; nothing else changes.
    network = build_network(model, "model").train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = Optimizer(config, network)
    run = digest([config.output_digest(), described, [[clip.clip_id, clip.text] for clip in clips]])
    done = optimizer.resume(out / CHECKPOINT_FILE, run)
    batches = Batches(
        config,
        clips,
        picture_transform(described["preprocess_cfg"], network),
        load_tokenizer(out / MERGES_FILE, context_length=model["text_cfg"].get("context_length", 77)),
    )
    for step, (pictures, tokens) in zip(range(done, config.steps), batches.after(done), strict=True):
        loss = optimizer.step(step, pictures, tokens)
        if (step + 1) % config.checkpoint_steps == 0 or step + 1 == config.steps:
            optimizer.save(out / CHECKPOINT_FILE, run, step + 1)
        report(step + 1, loss)
    write_tensors(out / WEIGHTS_FILE, {name: _halved(tensor) for name, tensor in network.state_dict().items()})


def _describe(config: ClipTrainConfig, clips: Sequence[CaptionedClip], out: Path) -> dict[str, Any]:
    """Learn the vocabulary; write it and the model's description; give the description."""
    model = deepcopy(config.model)
    for part in ("vision_cfg", "text_cfg"):
        if not isinstance(model.get(part), dict):
            raise ConfigError(f"model.{part} is missing: it holds the keys of open_clip's {part}")
    if not isinstance(model.get("embed_dim"), int):
        raise ConfigError("model.embed_dim is missing: the width of an embedding")
    merges = learn_merges((clip.text for clip in clips), config.max_merges)
    model["text_cfg"]["vocab_size"] = NUM_BASE_TOKENS + len(merges) + NUM_SPECIAL_TOKENS
    model["text_cfg"]["tokenizer_kwargs"] = {"bpe_path": MERGES_FILE}
    described = {"model_cfg": model, "preprocess_cfg": complete_preprocess(config.preprocess)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_merges(out / MERGES_FILE, merges)
        (out / MODEL_FILE).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error
    return described


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor
