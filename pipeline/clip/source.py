"""Which CLIP model a config means: its shape, how it wants its pictures, and where its weights lie on this machine."""

from __future__ import annotations

import difflib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.clip.tensors import TENSOR_SUFFIXES, check_file, check_tensors
from schemas import Config, ConfigError, digest, file_digest

HUB = "hf-hub:"
CONFIG_NAMES = ("model.json", "open_clip_config.json")
"""What the description of a model is called when it lies beside its weights."""
_SILENCE_S = 30.0
"""A download that stands still for so long has failed."""
_TOKENIZER_OPTIONS = frozenset(
    {"bpe_path", "additional_special_tokens", "clean", "language", "reduction_mask", "strip_sep_token"}
)
"""What a description may tell its tokenizer; others (`trust_remote_code`) would let it run code."""


class ClipConfig(Config):
    """A CLIP model that open_clip can build."""

    architecture: str | None = None
    """A name that open_clip knows (`ViT-B-32`), or the path of a model's description (.json, open_clip's form);
    null for the one that lies beside the weights, and for a model of the hub."""
    weights: str | None = None
    """A path (.safetensors, .bin, .pt), one of open_clip's tags (`laion2b_s34b_b79k`), or `hf-hub:OWNER/MODEL`."""
    resize: Literal["shortest", "longest", "squash"] | None = None
    """How a picture meets the model's size: fill it and crop the middle, fit into it and pad, or squash.
    Null for what the model was trained with, which for most is `shortest`."""
    gpus: float = Field(0.0, ge=0, json_schema_extra={"affects_output": False})
    """GPUs of one worker; a share (0.5) puts several workers on one. Without, it runs on a CPU core."""
    batch_clips: int = Field(16, ge=1, json_schema_extra={"affects_output": False})
    """Clips that go through the model at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSource:
    """A model found: everything that loading it needs is on this machine."""

    title: str
    """What messages call it."""
    model: Mapping[str, Any]
    """open_clip's `model_cfg`."""
    preprocess: Mapping[str, Any]
    """open_clip's `preprocess_cfg`, complete but for a size that the model decides."""
    weights: Path
    folder: Path | None
    """Where files that the description names lie."""
    tokenizer: str
    """By what name open_clip finds its tokenizer; empty where the description says it."""

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return int(self.model["embed_dim"])

    @property
    def digest(self) -> str:
        """Of all that its embeddings depend on."""
        merges = self.merges
        return digest(
            [
                dict(self.model),
                dict(self.preprocess),
                self.tokenizer,
                file_digest(self.weights),
                None if merges is None else file_digest(merges),
            ]
        )

    @property
    def merges(self) -> Path | None:
        """The vocabulary that lies beside the description; None where the tokenizer is one of open_clip's."""
        name = (self.model["text_cfg"].get("tokenizer_kwargs") or {}).get("bpe_path")
        if name is None or self.folder is None:
            return None
        # A description says a name beside itself, never a way out of its folder.
        return self.folder / Path(str(name)).name


def find_clip(config: ClipConfig, what: str = "embedding") -> ClipSource:
    """Find the model that a config names, downloading it into open_clip's cache where a tag asks for that.

    Args:
        config: With `weights`.
        what: The config section, for messages.

    Raises:
        ConfigError: There is no such model, or it cannot be had here.
    """
    if config.weights is None:
        raise ConfigError(f"{what}.weights is not set")
    if find_spec("open_clip") is None:
        raise ConfigError(f"{what}.weights needs the package open_clip_torch, which is not installed: rushes[scorers]")
    if config.weights.startswith(HUB) or (config.architecture or "").startswith(HUB):
        found = _from_hub(config, what)
    elif Path(config.weights).suffix in TENSOR_SUFFIXES:
        found = _from_path(config, Path(config.weights), what)
    else:
        found = _from_tag(config, config.weights, what)
    if config.resize is None:
        return found
    return ClipSource(**{**_fields(found), "preprocess": {**found.preprocess, "resize_mode": config.resize}})


def _fields(found: ClipSource) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ClipSource.__dataclass_fields__}


def _from_path(config: ClipConfig, weights: Path, what: str) -> ClipSource:
    check_tensors(weights, f"{what}.weights")
    architecture = config.architecture
    if architecture is not None and not architecture.endswith(".json"):
        model, preprocess = _named_model(architecture, what), _usual_preprocess(architecture)
        return ClipSource(
            title=str(weights),
            model=model,
            preprocess=preprocess,
            weights=weights,
            folder=None,
            tokenizer=architecture,
        )
    if architecture is not None:
        described = Path(architecture)
        check_file(described, f"{what}.architecture")
    else:
        beside = [weights.parent / name for name in CONFIG_NAMES if (weights.parent / name).is_file()]
        if not beside:
            raise ConfigError(
                f"{what}.architecture is not set, and beside {weights} lies neither {' nor '.join(CONFIG_NAMES)}"
            )
        described = beside[0]
    model, preprocess = _described_model(described, f"{what}.architecture")
    return ClipSource(
        title=str(weights), model=model, preprocess=preprocess, weights=weights, folder=described.parent, tokenizer=""
    )


def _from_tag(config: ClipConfig, tag: str, what: str) -> ClipSource:
    from pipeline.clip.borrowed import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    name = config.architecture
    if name is None or name.endswith(".json"):
        raise ConfigError(
            f"{what}.weights: {tag!r} is neither a file nor does {what}.architecture name whose tag it is"
        )
    model = _named_model(name, what)
    known = get_pretrained_cfg(_plain(name), tag)
    if not known:
        hint = _near(tag, list_pretrained_tags_by_model(_plain(name)))
        raise ConfigError(
            f"{what}.weights: open_clip has no weights {tag!r} for {name}, and there is no such file{hint}"
        )
    with _download(f"{what}.weights: {name} {tag!r}"):
        weights = _hub_file(known["hf_hub"]) if known.get("hf_hub") else Path(download_pretrained(known))
    # The same shapes with another activation would load and give wrong embeddings without a word.
    if "quick_gelu" in known:
        model["quick_gelu"] = known["quick_gelu"]
    return ClipSource(
        title=f"{name} {tag!r}",
        model=model,
        preprocess=complete_preprocess(known),
        weights=weights,
        folder=None,
        tokenizer=name,
    )


def _from_hub(config: ClipConfig, what: str) -> ClipSource:
    named = {name for name in (config.architecture, config.weights) if name}
    if len(named) != 1:
        raise ConfigError(f"{what}: a model of the hub brings its architecture: leave out {what}.architecture")
    name = named.pop()
    with _download(f"{what}.weights: {name}"):
        described = _hub_file(f"{name.removeprefix(HUB)}/open_clip_config.json")
        weights = _hub_file(f"{name.removeprefix(HUB)}/")
    model, preprocess = _described_model(described, f"{what}.weights: {name}")
    return ClipSource(
        title=name, model=model, preprocess=preprocess, weights=weights, folder=described.parent, tokenizer=""
    )


def _hub_file(address: str) -> Path:
    """A file of the hub, `OWNER/MODEL/FILE` (no FILE means the weights): from the cache, else by open_clip.

    Raises:
        OSError: It is neither here nor there.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    from pipeline.clip.borrowed import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME, download_pretrained_from_hf

    model, _, name = address.rpartition("/")
    name = name or HF_WEIGHTS_NAME
    # open_clip takes the safe form of the same weights where there is one, and so do we.
    safe = HF_SAFE_WEIGHTS_NAME if name == HF_WEIGHTS_NAME else str(Path(name).with_suffix(".safetensors"))
    for wanted in (safe, name):
        cached = try_to_load_from_cache(model, wanted)
        if isinstance(cached, str):
            return Path(cached)
    # Asked first, since the hub's own client tries for a minute to reach what cannot be reached.
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=_SILENCE_S):  # noqa: S310  # the hub's, or its mirror's
            pass
    except urllib.error.HTTPError:
        pass
    return Path(download_pretrained_from_hf(model, filename=name))


@contextmanager
def _download(what: str) -> Iterator[None]:
    """Turn whatever keeps a download from succeeding into one sentence."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE_S)
    try:
        yield
    except (OSError, RuntimeError, ImportError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{what} is not in the cache and cannot be downloaded: {reason}") from error
    finally:
        socket.setdefaulttimeout(before)


def _plain(name: str) -> str:
    return name.replace("/", "-")


def _named_model(name: str, what: str) -> dict[str, Any]:
    from pipeline.clip.borrowed import get_model_config, list_models

    if _plain(name) not in list_models():
        raise ConfigError(f"{what}.architecture: open_clip has no model {name!r}{_near(name, list_models())}")
    return dict(deepcopy(get_model_config(_plain(name))))


def _near(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known[:8])} …"


def _described_model(path: Path, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Model and preprocessing of a JSON file, with or without open_clip's outer `model_cfg`."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{what}: {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{what}: {path} is not JSON") from error
    model = described.get("model_cfg", described) if isinstance(described, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("embed_dim"), int):
        raise ConfigError(f"{what}: {path} is not the description of a CLIP model: it has no embed_dim")
    for part in ("vision_cfg", "text_cfg"):
        if not isinstance(model.get(part), dict):
            raise ConfigError(f"{what}: {path} is not the description of a CLIP model: it has no {part}")
    options = model["text_cfg"].get("tokenizer_kwargs") or {}
    if not isinstance(options, dict) or (unknown := sorted(options.keys() - _TOKENIZER_OPTIONS)):
        named = unknown[0] if isinstance(options, dict) else "no keys"
        raise ConfigError(f"{what}: {path}: text_cfg.tokenizer_kwargs has {named}, which is not taken from a file")
    preprocess = described.get("preprocess_cfg") or {}
    if not isinstance(preprocess, dict):
        raise ConfigError(f"{what}: {path}: preprocess_cfg must hold keys and values")
    return model, complete_preprocess(preprocess)


def _usual_preprocess(name: str) -> dict[str, Any]:
    """What all published weights of an architecture agree on; open_clip's own defaults where they do not."""
    from pipeline.clip.borrowed import get_pretrained_cfg, list_pretrained_tags_by_model

    tags = list_pretrained_tags_by_model(_plain(name))
    ways = [complete_preprocess(get_pretrained_cfg(_plain(name), tag)) for tag in tags]
    return ways[0] if ways and all(way == ways[0] for way in ways) else complete_preprocess({})


def complete_preprocess(over: Mapping[str, Any]) -> dict[str, Any]:
    """open_clip's `preprocess_cfg` with its defaults where nothing is said, and without a size."""
    from pipeline.clip.borrowed import PreprocessCfg, merge_preprocess_dict

    merged: dict[str, Any] = merge_preprocess_dict(asdict(PreprocessCfg()), dict(over))
    del merged["size"]
    return merged
