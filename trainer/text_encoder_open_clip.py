"""The text tower of a CLIP in open_clip's form: one vector a token, before they are pooled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pipeline.media.torchvision_cpu  # noqa: F401  # isort: skip
import torch
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from safetensors import SafetensorError
from safetensors.torch import load_file

from schemas import ConfigError
from trainer.text_encoder import TextEncoderSource
from trainer.token_batches import by_length


class OpenClipTextEncoder:
    """The text half of a CLIP, in evaluation mode, and its tokenizer.

    Its tokens see those before them alone, so that nothing behind a text's last token matters.

    Args:
        source: What it is.
        device: Where it computes.

    Raises:
        ConfigError: Its description cannot be built, or the weights are not those of it.
    """

    def __init__(self, source: TextEncoderSource, device: str) -> None:
        self.source = source
        self.device = device
        about = source.files.about.get("model_cfg", source.files.about)
        where = source.files.path
        text = about.get("text_cfg")
        if not isinstance(text, dict) or about.get("custom_text") or "hf_model_name" in text:
            raise ConfigError(f"{where}: is no plain CLIP of open_clip: its text tower is of another kind")
        self._tokenizer = _tokenizer_of(where, text)
        self._max_tokens = min(source.config.max_tokens, int(text.get("context_length", 77)))
        try:
            network: Any = CLIP(**about)
            network.load_state_dict(load_file(_weights(where)))
        except (TypeError, ValueError, AssertionError, RuntimeError, LookupError, SafetensorError, OSError) as error:
            raise ConfigError(f"{where}: cannot be loaded: {' '.join(str(error).split())[:300]}") from error
        # What sees pictures is not needed here.
        del network.visual
        dtype = getattr(torch, source.config.dtype)
        self._network = network.to(device=device, dtype=dtype).eval().requires_grad_(False)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self._network.positional_embedding.shape[1])

    @property
    def digest(self) -> str:
        """Of all that its vectors depend on."""
        return self.source.digest

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """The vectors of each text's tokens, see `TextEncoder.encode`; the last one is of the end of the text."""
        tokens = [self._tokens(text) for text in texts]
        found = [torch.empty(0, self.width) for _ in texts]
        for places in by_length(list(map(len, tokens)), self.source.config.batch_texts):
            vectors = self._vectors([tokens[place] for place in places])
            for place, row in zip(places, vectors, strict=True):
                found[place] = row[: len(tokens[place])].float().cpu().clone()
        return found

    def _tokens(self, text: str) -> list[int]:
        inside = self._tokenizer.encode(text)[: max(self._max_tokens - 2, 0)]
        ends = [self._tokenizer.sot_token_id, *inside, self._tokenizer.eot_token_id]
        return ends[-self._max_tokens :]

    def _vectors(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """(texts, longest, width)."""
        network = self._network
        longest = max(map(len, tokens))
        padded = [[*ids, *[0] * (longest - len(ids))] for ids in tokens]
        x = network.token_embedding(torch.tensor(padded, device=self.device))
        x = x + network.positional_embedding[:longest]
        x = network.transformer(x, attn_mask=network.attn_mask[:longest, :longest].to(x.dtype))
        return network.ln_final(x)  # type: ignore[no-any-return]


def _tokenizer_of(where: Path, text: dict[str, Any]) -> Any:
    options = dict(text.get("tokenizer_kwargs") or {})
    named = options.pop("bpe_path", None)
    if options or text.get("hf_tokenizer_name"):
        raise ConfigError(f"{where}: its tokenizer is of another kind than CLIP's own")
    if named is None:
        return SimpleTokenizer()
    # A description says a name beside itself, never a way out of its folder.
    path = where / Path(str(named)).name
    try:
        return SimpleTokenizer(bpe_path=str(path))
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(f"{path}: is not a vocabulary of byte pairs: {error}") from error


def _weights(where: Path) -> Path:
    found = sorted(where.glob("*.safetensors"))
    if len(found) != 1:
        raise ConfigError(f"{where}: must hold one file of weights, it has {', '.join(path.name for path in found)}")
    return found[0]
