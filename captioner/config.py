"""The section `caption` of a run's config."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from schemas import Config

_NO_EFFECT: JsonDict = {"affects_output": False}


class EngineConfig(Config):
    """Which model writes the captions, and what runs it."""

    kind: Literal["vllm", "http", "transformers"] = "vllm"
    """`vllm`: in the worker itself. `http`: any OpenAI-compatible server. `transformers`: slow, and everywhere."""
    model: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """A folder (config.json, *.safetensors, tokenizer and processor), or for `http` the name that the server knows.
    What it holds decides what is stale, and not where it lies."""
    max_model_len: int = Field(4096, ge=256)
    """Tokens of a request and its answer together."""
    max_num_seqs: int = Field(64, ge=1, json_schema_extra=_NO_EFFECT)
    """Requests that the model works on at once."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights; `auto` is what the model's config says, and float32 on a CPU."""
    gpus: float = Field(0.0, ge=0, json_schema_extra=_NO_EFFECT)
    """GPUs of one worker; as many are used in tensor parallel. Without, it runs on the CPU."""
    cpus: float = Field(1.0, gt=0, json_schema_extra=_NO_EFFECT)
    """Cores of one worker."""
    kv_cache_gib: float = Field(1.0, gt=0, json_schema_extra=_NO_EFFECT)
    """Memory for the attention's keys and values on a CPU."""
    arguments: dict[str, Any] = Field(default_factory=dict, json_schema_extra=_NO_EFFECT)
    """More arguments of `vllm.LLM`, as `{enable_prefix_caching: true, gpu_memory_utilization: 0.9}`."""
    url: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """Of a server, up to `/v1`."""
    key_variable: str = Field("OPENAI_API_KEY", json_schema_extra=_NO_EFFECT)
    """The environment variable that holds the server's key; the key itself is never written anywhere."""
    parts: Literal["images", "video"] = "images"
    """How frames reach a server: PNG pictures in turn, or one `video/jpeg` part (vLLM's)."""
    concurrency: int = Field(16, ge=1, json_schema_extra=_NO_EFFECT)
    """Requests that are under way to a server at once."""
    requests_a_second: float | None = Field(None, gt=0, json_schema_extra=_NO_EFFECT)
    """Most requests that a server is sent; no limit without it."""
    timeout_s: float = Field(120.0, gt=0, json_schema_extra=_NO_EFFECT)
    """A server that has not answered by then has failed this try."""
    max_tries: int = Field(5, ge=1, json_schema_extra=_NO_EFFECT)
    """Tries of a request that a server does not answer, with growing waits between them."""

    @model_validator(mode="after")
    def _server_has_address(self) -> Self:
        if self.kind == "http" and self.model is not None and self.url is None:
            raise ValueError("kind 'http' needs url, the server's address up to /v1")
        return self


class FramesConfig(Config):
    """Which frames of a clip the model sees."""

    choice: Literal["uniform", "rate", "moments"] = "uniform"
    """`uniform`: so many, evenly spread. `rate`: so many a second. `moments`: those between which most has changed."""
    num_frames: int = Field(8, ge=1, le=512)
    """Of `uniform` and `moments`, and the most of `rate`."""
    rate: float = Field(2.0, gt=0, le=60)
    """Frames a second, of `rate`."""
    max_pixels: int = Field(512 * 512, ge=28 * 28)
    """Of a frame; larger ones are scaled down, keeping their aspect ratio."""
    grid_px: int = Field(28, ge=1, le=256)
    """Both sides are multiples of it: the model's patch, merged."""


class ChecksConfig(Config):
    """What a caption must be, or it is asked for again."""

    min_words: int = Field(4, ge=0)
    """Of the dense caption."""
    max_words: int = Field(400, ge=1)
    """Of the dense caption."""
    max_repeat_ratio: float = Field(0.5, ge=0, le=1)
    """Share of 4-grams that occurred before in the same caption."""
    forbidden: tuple[str, ...] = ()
    """Words that no caption may hold, in any case."""
    max_same: int = Field(20, ge=1)
    """Clips that may have the very same dense caption before all of them are flagged."""


class VideoConfig(Config):
    """How the captions of a video's clips become one of the whole."""

    merge: Literal["extract", "model"] = "extract"
    """`extract`: sentences of the clips' captions that together name the most, each behind its time; no model has a
    part in it. `model`: the captioner's model writes a description from them, group by group where they are many."""
    kind: Literal["dense", "short"] = "dense"
    """Of the clips' captions that are merged, and kept as the parts with their times."""
    max_words: int = Field(300, ge=20)
    """Of the video's caption."""
    prompt: str = "merge"
    """Of `model`: the name of one of `captioner/prompts/*.md`, or a path; with places `{captions}` and `{words}`."""
    max_tokens: int = Field(512, ge=16)
    """Of `model`: of an answer."""
    bytes_a_token: float = Field(2.0, ge=0.5, le=8)
    """Of `model`: how many bytes of a caption a token stands for at the least, by which it is reckoned what fits into
    `engine.max_model_len`. English has about 4; too large a value makes requests that the engine refuses."""


class CaptionConfig(Config):
    """How clips are captioned."""

    engine: EngineConfig = EngineConfig()
    frames: FramesConfig = FramesConfig()
    checks: ChecksConfig = ChecksConfig()
    video: VideoConfig = Field(VideoConfig(), json_schema_extra=_NO_EFFECT)
    """Has no effect on the captions of clips; those of videos depend on it."""
    prompt: str = "structured"
    """The name of one of `captioner/prompts/*.md`, or a path."""
    max_tokens: int = Field(512, ge=16)
    """Of an answer."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Of the first try; 0 takes the most likely word."""
    retry_temperature: float = Field(0.7, gt=0, le=2)
    """Of the tries after a caption that failed the checks, each with a seed of its own."""
    max_tries: int = Field(3, ge=1, le=10)
    """Tries of one caption."""
    seed: int = Field(0, ge=0, le=2**31 - 1)
    """Of the tries."""
    readers: int = Field(2, ge=1, json_schema_extra=_NO_EFFECT)
    """Decoders of a worker that prepare frames while the model works."""
