"""The model run by transformers itself, batch after batch: slow, and wherever torch runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from captioner.chat import ChatTemplate, video_metadata
from captioner.config import EngineConfig
from captioner.engine import CaptionReply, CaptionRequest, Feed
from captioner.model_folder import FolderEngine
from captioner.positions import mend_positions
from captioner.torch_ready import need_transformers
from schemas import ConfigError


class TransformersEngine(FolderEngine):
    """A caption engine; its arguments are those of `FolderEngine`."""

    def __init__(self, config: EngineConfig, key: str = "caption.engine.model") -> None:
        super().__init__(config, key)
        self._model: Any = None
        self._chat: ChatTemplate | None = None

    def setup(self) -> None:
        """Load the model.

        Raises:
            ConfigError: transformers is not installed, or does not know the architecture.
        """
        need_transformers()
        from transformers import AutoModelForImageTextToText

        self._chat = ChatTemplate(self._folder.path)
        dtype = self.config.dtype
        if dtype == "auto" and not self.config.gpus:
            dtype = "float32"
        read: Any = AutoModelForImageTextToText.from_pretrained
        try:
            model, found = read(
                str(self._folder.path),
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise self._unusable(error) from error
        if lacking := sorted(found["missing_keys"]):
            # transformers would go on with random numbers in their place.
            raise ConfigError(f"{self._key}: {self._folder.path}: the weights lack {lacking[0]}")
        mend_positions(model)
        self._model = model.eval().to("cuda" if self.config.gpus else "cpu")

    def close(self) -> None:
        """Let the model go."""
        self._model = None

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        """Answer all requests of a feed, those that can share a batch together."""
        while (first := feed.take(wait=True)) is not None:
            batch = [first]
            while len(batch) < self.config.max_num_seqs and (more := feed.take(wait=False)) is not None:
                batch.append(more)
            for group in _alike(batch):
                yield from self._answer(group)

    def _answer(self, requests: Sequence[CaptionRequest]) -> Iterator[CaptionReply]:
        """Answer requests that have all but pictures and words in common."""
        import torch

        assert self._model is not None, "setup was not called"
        first = requests[0]
        inputs = self._inputs(requests).to(self._model.device)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        limit = self.config.max_model_len
        fitting = [request for request, length in zip(requests, lengths, strict=True) if length < limit]
        if len(fitting) < len(requests):
            for request, length in zip(requests, lengths, strict=True):
                if length >= limit:
                    why = f"a prompt of {length} tokens leaves no room in max_model_len {limit}"
                    yield CaptionReply(request_id=request.request_id, finish="error", error=why)
            if fitting:
                yield from self._answer(fitting)
            return
        longest = max(lengths)
        sampling: dict[str, Any] = {"do_sample": False}
        if first.temperature > 0:
            torch.manual_seed(first.seed)
            sampling = {"do_sample": True, "temperature": first.temperature, "top_k": 0, "top_p": 1.0}
        tokens = self._model.generate(
            **inputs,
            max_new_tokens=first.max_tokens,
            min_new_tokens=first.min_tokens,
            logits_processor=self._grammar(first),
            **sampling,
        )[:, longest:]
        ends = _end_tokens(self._model.generation_config)
        for request, row, length in zip(requests, tokens.tolist(), lengths, strict=True):
            row = row[: limit - length]
            place = next((k for k, token in enumerate(row) if token in ends), None)
            answer = row if place is None else row[: place + 1]
            yield CaptionReply(
                request_id=request.request_id,
                text=self._tokenizer.decode(answer, skip_special_tokens=True),
                finish="length" if place is None else "stop",
                num_prompt_tokens=length,
                num_output_tokens=len(answer),
            )

    @property
    def _tokenizer(self) -> Any:
        assert self._chat is not None
        return self._chat.processor.tokenizer

    def _inputs(self, requests: Sequence[CaptionRequest]) -> Any:
        assert self._chat is not None
        media: dict[str, Any] = {}
        windows = [request.window for request in requests]
        if windows[0] is not None:
            if len(windows[0].times_s) == 1:
                media["images"] = [window.frames[0] for window in windows if window is not None]
            else:
                media["videos"] = [window.frames for window in windows if window is not None]
                media["video_metadata"] = [video_metadata(window) for window in windows if window is not None]
                media["do_sample_frames"] = False
        texts = [self._chat(request) for request in requests]
        return self._chat.processor(text=texts, padding=True, padding_side="left", return_tensors="pt", **media)

    def _grammar(self, request: CaptionRequest) -> list[Any]:
        """What keeps the answer within the request's schema."""
        if request.schema is None:
            return []
        from xgrammar.contrib.hf import LogitsProcessor

        compiled = self._compiler.compile_json_schema(
            json.dumps(request.schema), any_whitespace=False, separators=(",", ":")
        )
        return [LogitsProcessor(compiled)]

    @cached_property
    def _compiler(self) -> Any:
        """Of schemas; it keeps those that it has seen."""
        import xgrammar

        ends = sorted(_end_tokens(self._model.generation_config))
        info = xgrammar.TokenizerInfo.from_huggingface(
            self._tokenizer, vocab_size=self._model.config.get_text_config().vocab_size, stop_token_ids=ends
        )
        return xgrammar.GrammarCompiler(info)


def _end_tokens(generation: Any) -> frozenset[int]:
    ends = generation.eos_token_id
    return frozenset([ends] if isinstance(ends, int) else ends or ())


def _alike(batch: Sequence[CaptionRequest]) -> list[list[CaptionRequest]]:
    """Groups that one call can answer: one kind of media, one way to draw words, one schema."""
    groups: dict[str, list[CaptionRequest]] = {}
    for request in batch:
        kind = "text" if request.window is None else "image" if len(request.window.times_s) == 1 else "video"
        # With a temperature each request has a seed of its own, which a batch would mix.
        alone = request.request_id if request.temperature > 0 else ""
        key = repr((kind, alone, request.max_tokens, request.min_tokens, request.temperature, request.schema))
        groups.setdefault(key, []).append(request)
    return list(groups.values())
