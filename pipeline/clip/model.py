"""A CLIP model at work: pictures and texts in, embeddings of unit length out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.clip.source import ClipSource
from pipeline.clip.tensors import check_file, read_tensors
from pipeline.clip.vocabulary import load_tokenizer
from schemas import ConfigError

if TYPE_CHECKING:
    import torch

Embeddings = npt.NDArray[np.float32]
"""float32 (N, width), each row of unit length."""
Picture = npt.NDArray[np.uint8]
"""uint8 (height, width, 3), RGB."""
Tokenizer = Callable[[list[str]], "torch.Tensor"]
"""Texts to int64 (N, context)."""


class ClipModel:
    """A network with its weights, in evaluation mode and float32, and its way to prepare pictures."""

    def __init__(self, source: ClipSource, network: torch.nn.Module, device: str) -> None:
        self.source = source
        self.network = network.to(device).float().eval()
        self.device = device
        self._prepare = picture_transform(source.preprocess, network)
        self._tokenizer: Tokenizer | None = None

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return self.source.width

    def encode_pictures(self, pictures: Sequence[Picture]) -> Embeddings:
        """Embed pictures of any sizes."""
        import torch
        from PIL import Image

        if not len(pictures):
            return np.empty((0, self.width), np.float32)
        batch = torch.stack([self._prepare(Image.fromarray(picture)) for picture in pictures])
        with torch.inference_mode():
            encoded: torch.Tensor = self.network.encode_image(batch.to(self.device))  # type: ignore[operator]
        return unit_rows(encoded.float().cpu().numpy())

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts; what goes beyond the model's context is cut off, as in its training."""
        import torch

        if not len(texts):
            return np.empty((0, self.width), np.float32)
        if self._tokenizer is None:
            self._tokenizer = find_tokenizer(self.source)
        with torch.inference_mode():
            tokens = self._tokenizer(list(texts)).to(self.device)
            encoded: torch.Tensor = self.network.encode_text(tokens)  # type: ignore[operator]
        return unit_rows(encoded.float().cpu().numpy())


def unit_rows(rows: npt.NDArray[np.float32]) -> Embeddings:
    """Rows brought to unit length; a row without a direction becomes NaN."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def load_clip(source: ClipSource, *, use_gpu: bool = False, what: str = "embedding") -> ClipModel:
    """Build a model and fill it with its weights.

    Args:
        source: What `find_clip` found.
        use_gpu: Whether to use a CUDA device where there is one.
        what: The config section, for messages.

    Raises:
        ConfigError: The weights are not those of this architecture, or give no finite embeddings.
    """
    import torch

    key = f"{what}.weights"
    network = build_network(source.model, f"{what}.architecture")
    fill(network, read_tensors(source.weights, key), f"{key}: {source.weights}")
    device = "cuda" if use_gpu and torch.cuda.is_available() else "cpu"
    if device == "cpu":
        # A worker has one core; more threads would share it, and could add up in another order.
        torch.set_num_threads(1)
    model = ClipModel(source, network, device)
    if not np.isfinite(model.encode_pictures([np.full((64, 64, 3), 128, np.uint8)])).all():
        raise ConfigError(f"{key}: {source.weights} gives embeddings that are not finite")
    return model


def build_network(model: Mapping[str, Any], what: str) -> torch.nn.Module:
    """A network of open_clip with weights drawn at random.

    Args:
        model: open_clip's `model_cfg`.
        what: Where it comes from, for messages.

    Raises:
        ConfigError: open_clip cannot build that.
    """
    from pipeline.clip.borrowed import CLIP, CoCa, CustomTextCLIP

    config = deepcopy(dict(model))
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "timm_model_name" in vision:
        vision["timm_model_pretrained"] = False
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = False
    is_custom = bool(config.pop("custom_text", False)) or "hf_model_name" in text
    kind = (CoCa if "multimodal_cfg" in config else CustomTextCLIP) if is_custom else CLIP
    try:
        network: torch.nn.Module = kind(**config)
    except (TypeError, ValueError, AssertionError, RuntimeError, LookupError, ImportError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{what}: open_clip cannot build it: {reason}") from error
    return network


def fill(network: torch.nn.Module, tensors: dict[str, torch.Tensor], what: str) -> None:
    """Put a checkpoint's tensors into a network, converted from the older forms that open_clip knows.

    Unlike open_clip's own loading it never resizes anything to make it fit.

    Raises:
        ConfigError: Names or shapes are not those of the network.
    """
    from pipeline.clip.borrowed import convert_state_dict, convert_to_custom_text_state_dict

    tensors = convert_state_dict(network, tensors)
    if "positional_embedding" in tensors and not hasattr(network, "positional_embedding"):
        tensors = convert_to_custom_text_state_dict(tensors)
    wanted = network.state_dict()
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith("embeddings.position_ids")}
    for name in ("logit_scale", "logit_bias"):
        if name in wanted and name in tensors and tensors[name].numel() == 1:
            tensors[name] = tensors[name].reshape(wanted[name].shape)
    missing = sorted(wanted.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - wanted.keys())
    if missing or unknown:
        parts = [f"lacks {missing[0]} and {len(missing) - 1} more" if missing else ""]
        parts.append(f"has {unknown[0]} and {len(unknown) - 1} more that have no place" if unknown else "")
        raise ConfigError(f"{what} is not of this architecture: it {'; it '.join(filter(None, parts))}")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            shapes = f"{tuple(tensor.shape)}, the architecture wants {tuple(wanted[name].shape)}"
            raise ConfigError(f"{what} is not of this architecture: {name} is {shapes}")
    network.load_state_dict(tensors)


def picture_transform(preprocess: Mapping[str, Any], network: torch.nn.Module) -> Callable[[Any], torch.Tensor]:
    """open_clip's own transform of a PIL picture to a normalised float32 (3, size, size)."""
    from pipeline.clip.borrowed import PreprocessCfg, image_transform_v2

    size = network.visual.image_size  # type: ignore[union-attr]
    transform: Callable[[Any], torch.Tensor] = image_transform_v2(
        PreprocessCfg(**{**preprocess, "size": size}), is_train=False
    )
    return transform


def find_tokenizer(source: ClipSource, what: str = "embedding") -> Tokenizer:
    """The tokenizer of a model.

    Raises:
        ConfigError: It cannot be had.
    """
    from pipeline.clip.borrowed import HFTokenizer, SimpleTokenizer, get_tokenizer

    text = source.model["text_cfg"]
    options = dict(text.get("tokenizer_kwargs") or {})
    context = int(text.get("context_length", 77))
    try:
        if source.tokenizer:
            tokenizer: Tokenizer = get_tokenizer(source.tokenizer)
        elif text.get("hf_tokenizer_name"):
            mode = text.get("tokenizer_mode")
            tokenizer = HFTokenizer(text["hf_tokenizer_name"], context_length=context, tokenizer_mode=mode, **options)
        elif source.merges is not None:
            check_file(source.merges, f"{what}.architecture: text_cfg.tokenizer_kwargs.bpe_path")
            del options["bpe_path"]
            tokenizer = load_tokenizer(source.merges, context_length=context, **options)
        else:
            tokenizer = SimpleTokenizer(context_length=context, **options)
    except (ImportError, OSError, ValueError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{what}: the tokenizer of {source.title} cannot be had: {reason}") from error
    return tokenizer
