"""Text encoders of the package transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pipeline.media.torchvision_cpu  # noqa: F401  # isort: skip
import torch
import transformers

from schemas import ConfigError
from trainer.text_encoder import TextEncoderSource
from trainer.token_batches import by_length


class TransformersTextEncoder:
    """A model of transformers, in evaluation mode, and its tokenizer.

    Args:
        source: What it is.
        device: Where it computes.

    Raises:
        ConfigError: Its config cannot be built, or the weights are not those of this config.
    """

    def __init__(self, source: TextEncoderSource, device: str) -> None:
        assert source.model is not None
        self.source = source
        self.device = device
        where = source.files.path
        # A worker's bar over tensors tells nobody anything.
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            network, said = getattr(transformers, source.model.class_name).from_pretrained(
                where,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                dtype=getattr(torch, source.config.dtype),
            )
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                source.tokenizer.path, local_files_only=True
            )
        except (OSError, ValueError, TypeError, RuntimeError, LookupError, ImportError) as error:
            raise ConfigError(f"{where}: cannot be loaded: {' '.join(str(error).split())[:300]}") from error
        if said["missing_keys"]:
            raise ConfigError(f"{where}: the weights lack {sorted(said['missing_keys'])[0]}")
        self._network: Any = network.to(device).eval().requires_grad_(False)
        # CLIP has learnt so many positions and no more; the others' are computed.
        learnt = network.config.max_position_embeddings if source.model.class_name == "CLIPTextModel" else None
        self._max_tokens = min(source.config.max_tokens, learnt or source.config.max_tokens)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self._network.config.hidden_size)

    @property
    def digest(self) -> str:
        """Of all that its vectors depend on."""
        return self.source.digest

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """The vectors of each text's tokens, see `TextEncoder.encode`."""
        if not texts:
            return []
        tokens = self._tokenizer(list(texts), truncation=True, max_length=self._max_tokens)["input_ids"]
        found = [torch.empty(0, self.width) for _ in texts]
        for places in by_length(list(map(len, tokens)), self.source.config.batch_texts):
            vectors = self._vectors([tokens[place] for place in places])
            for place, row in zip(places, vectors, strict=True):
                found[place] = row[: len(tokens[place])].float().cpu().clone()
        return found

    def _vectors(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """(texts, longest, width); what stands behind a text's own tokens means nothing."""
        assert self.source.model is not None
        longest = max(map(len, tokens))
        padded = [[*ids, *[self._tokenizer.pad_token_id or 0] * (longest - len(ids))] for ids in tokens]
        mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in tokens]
        skip = self.source.config.skip_layers
        answer = self._network(
            input_ids=torch.tensor(padded, device=self.device),
            attention_mask=torch.tensor(mask, device=self.device),
            output_hidden_states=bool(skip),
        )
        if not skip:
            return answer.last_hidden_state  # type: ignore[no-any-return]
        if skip >= len(answer.hidden_states):
            where, count = self.source.files.path, len(answer.hidden_states) - 1
            raise ConfigError(f"text_encoder.skip_layers is {skip}, and {where} has {count} layers")
        return answer.hidden_states[-1 - skip]  # type: ignore[no-any-return]
