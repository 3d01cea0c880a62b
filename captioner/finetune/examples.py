"""Clips and answers as the tensors that a model learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.chat import ChatTemplate, video_metadata
from captioner.engine import CaptionRequest, Window
from schemas import ConfigError

_IGNORED = -100
"""A label that the loss passes over."""


@dataclass(frozen=True, slots=True)
class Example:
    """A clip as it is seen, what is asked, and what is to be answered."""

    window: Window
    prompt: str
    answer: str
    counts: bool = True
    """Whether anything is learnt from it."""


class Examples:
    """Turns examples into a batch: the very tokens that engines make of a request, and the answer's behind them.

    Args:
        folder: The model's, with its processor.
        end_token: What ends an answer.
        max_tokens: Longest sequence.

    Raises:
        ConfigError: There is no processor.
    """

    def __init__(self, folder: Path, end_token: int, max_tokens: int) -> None:
        self._chat = ChatTemplate(folder)
        self._end = end_token
        self._max_tokens = max_tokens

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """The arguments of the model, and `labels` int64 (B, L), which are -100 where nothing is to be learnt.

        Args:
            examples: Pictures and videos in any order; at least one.

        Raises:
            ConfigError: One is longer than the model can read.
        """
        import torch
        from torch.nn.utils.rnn import pad_sequence

        processed = self._questions(examples)
        masks = processed.pop("attention_mask").bool()
        questions = [row[mask] for row, mask in zip(processed.pop("input_ids"), masks, strict=True)]
        kinds = [row[mask] for row, mask in zip(processed.pop("mm_token_type_ids"), masks, strict=True)]
        answers = [torch.tensor([*self._tokens(example.answer), self._end]) for example in examples]
        longest = max(len(question) + len(answer) for question, answer in zip(questions, answers, strict=True))
        if longest > self._max_tokens:
            raise ConfigError(
                f"a clip and its caption are {longest} tokens, and the model reads {self._max_tokens}: "
                "lower frames.num_frames or frames.max_pixels"
            )
        whole = list(zip(questions, kinds, answers, strict=True))
        labels = [
            torch.cat([0 * ask + _IGNORED, say if example.counts else 0 * say + _IGNORED])
            for example, (ask, _, say) in zip(examples, whole, strict=True)
        ]
        return {
            **processed,
            "input_ids": pad_sequence([torch.cat([ask, say]) for ask, _, say in whole], True, self._end),
            "mm_token_type_ids": pad_sequence([torch.cat([kind, 0 * say]) for _, kind, say in whole], True, 0),
            "attention_mask": pad_sequence([torch.cat([0 * ask, 0 * say]) + 1 for ask, _, say in whole], True, 0),
            "labels": pad_sequence(labels, True, _IGNORED),
        }

    def _tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._chat.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _questions(self, examples: Sequence[Example]) -> dict[str, Any]:
        windows = [example.window for example in examples]
        media: dict[str, Any] = {}
        if stills := [window.frames[0] for window in windows if len(window.times_s) == 1]:
            media["images"] = stills
        if moving := [window for window in windows if len(window.times_s) > 1]:
            media["videos"] = [window.frames for window in moving]
            media["video_metadata"] = [video_metadata(window) for window in moving]
            media["do_sample_frames"] = False
        texts = [
            self._chat(CaptionRequest(request_id="", prompt=example.prompt, window=example.window))
            for example in examples
        ]
        return dict(self._chat.processor(text=texts, padding=True, return_tensors="pt", **media))


def answer_tokens(labels: Any) -> int:
    """How many tokens a batch teaches."""
    # Nothing is predicted for the first place.
    return int((labels[:, 1:] != _IGNORED).sum())


def loss_sum(logits: Any, labels: Any) -> Any:
    """Sum of the cross entropy over the answers' tokens, a float32 scalar.

    Args:
        logits: Float (B, L, V).
        labels: Int64 (B, L), -100 where nothing is learnt.
    """
    from torch.nn.functional import cross_entropy

    said = labels[:, 1:] != _IGNORED
    return cross_entropy(logits[:, :-1][said].float(), labels[:, 1:][said], reduction="sum")
