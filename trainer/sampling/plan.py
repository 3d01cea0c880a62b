"""What a request costs, told before anything is loaded: tokens, FLOPs, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from schemas import ConfigError, LatentShape, PixelShape
from trainer.model.flops import forward_flops
from trainer.pretrained import Pretrained
from trainer.sampling.config import SamplingConfig
from trainer.sampling.film import film
from trainer.sampling.guidance import is_on
from trainer.sampling.model import ModelSource
from trainer.sampling.request import Request, Size, check
from trainer.sampling.solver import looks, schedule
from trainer.sampling.window import Window
from trainer.times import shift_of

_FP32 = 4
_BLOCK = 22.0
"""Numbers that a block holds at once for each token and channel, besides its MLP: the sequence, its norm, six rows of
modulation, queries, keys and values and their rotated copies. Measured on a CPU in fp32, at widths 384 and 512."""
_HIDDEN = 2.0
"""For each hidden channel of the MLP over the width, before and after the GELU."""
_DECODER, _PICTURE_DECODER = 20.0, 8.0
"""Copies of its layer at full size that a decoder of videos, and one of pictures, holds for each frame it works on.
Measured on a CPU in fp32, of tiny ones of Wan's and HunyuanVideo's classes and of `AutoencoderKL`."""
_FEWEST_FRAMES, _PICTURES_AT_ONCE = 3, 8
"""Frames that count at the least for a decoder of videos, and pictures that go through one of pictures together."""
_FILM_COPIES = 2
"""Of all frames in 8 bit, while pieces are joined."""
_WIDTHS = (7, 18, 16, 10, 10, 10, 10)
"""Of the table's columns."""
_SPARE_BYTES = 1 << 29
"""Of Python and its libraries."""


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """One stretch of video that the model makes at once."""

    request: int
    """Of several, from 0."""
    pixels: PixelShape
    """As made, before the cut."""
    latent: LatentShape
    num_tokens: int
    tflop: float
    """Of all steps, in 10^12."""
    model_bytes: float
    """What the transformer holds besides its weights."""
    decode_bytes: float
    """What the autoencoder holds besides its weights."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What some requests cost."""

    windows: tuple[PlannedWindow, ...]
    film_bytes: float
    """Of the frames of all requests that are in memory at once, until they can be written."""
    weight_bytes: float
    """Of transformer, autoencoder and text encoder."""
    available_bytes: float
    """What the device has."""
    num_frames: tuple[int, ...]
    """Of each request's output."""

    @property
    def need_bytes(self) -> float:
        """Of the largest window; good to about a third."""
        most = max(max(window.model_bytes, window.decode_bytes) for window in self.windows)
        return self.weight_bytes + self.film_bytes + most + _SPARE_BYTES

    @property
    def degree(self) -> int | None:
        """Devices that would have to share the largest sequence, a power of two; None where no number is enough."""
        free = self.available_bytes - self.weight_bytes - self.film_bytes - _SPARE_BYTES
        most = max(window.model_bytes for window in self.windows)
        return next((2**k for k in range(13) if most / 2**k <= free), None)

    @property
    def is_possible(self) -> bool:
        """Whether one device holds it."""
        return self.need_bytes <= self.available_bytes

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        windows = [
            {**asdict(window), "pixels": list(window.pixels), "latent": list(window.latent)} for window in self.windows
        ]
        told = {"need_bytes": self.need_bytes, "degree": self.degree, "is_possible": self.is_possible}
        held = {name: getattr(self, name) for name in ("film_bytes", "weight_bytes", "available_bytes")}
        return {"windows": windows, **held, **told}

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        heads = zip(("request", "frames, size", "latent", "tokens", "TFLOP", "model", "decoder"), _WIDTHS, strict=True)
        yield " ".join(f"{head:>{width}}" for head, width in heads)
        for window in self.windows:
            size = f"{window.pixels.frames} of {window.pixels.width}x{window.pixels.height}"
            row = (
                *(str(window.request + 1), size, "x".join(map(str, window.latent)), f"{window.num_tokens:,}"),
                *(f"{window.tflop:,.3g}", gib(window.model_bytes), gib(window.decode_bytes)),
            )
            yield " ".join(f"{cell:>{width}}" for cell, width in zip(row, _WIDTHS, strict=True))
        tokens, tflop = (sum(getattr(window, name) for window in self.windows) for name in ("num_tokens", "tflop"))
        yield f"in all {len(self.windows)} windows, {tokens:,} tokens, {tflop:,.3g} TFLOP"
        yield (
            f"memory about {gib(self.need_bytes)}, {gib(self.weight_bytes)} of it weights and {gib(self.film_bytes)} "
            f"frames; there are {gib(self.available_bytes)}"
        )
        degree = "more devices than 4096" if self.degree is None else f"degree {self.degree}"
        yield f"sequence parallel: {degree}"

    def refuse(self) -> None:
        """Refuse what one device cannot hold.

        Raises:
            ConfigError: It cannot; with the table.
        """
        if self.is_possible:
            return
        tiles = max(window.decode_bytes for window in self.windows) > max(window.model_bytes for window in self.windows)
        hint = "a smaller autoencoder.tile_px" if tiles else "a smaller size or window_s"
        table = "\n".join(self.lines())
        raise ConfigError(f"this device cannot hold what is asked for; {hint} needs less\n{table}")


def plan(
    requests: Sequence[Request],
    config: SamplingConfig,
    source: ModelSource,
    available_bytes: float,
    *,
    draft: bool = False,
) -> Plan:
    """Walk through the windows of requests without making them.

    Args:
        requests: What is wanted.
        config: How.
        source: The model and its encoders.
        available_bytes: Of memory.
        draft: Whether each is made small first.

    Raises:
        ConfigError: One of them cannot be made.
    """
    windows: list[PlannedWindow] = []
    film_bytes = 0.0
    lengths: list[int] = []
    for index, request in enumerate(requests):
        check(request, config)
        found, num_held, num_frames = _windows(request, config, source)
        lengths.append(num_frames)
        film_bytes += _FILM_COPIES * 3.0 * num_held * request.size.width * request.size.height
        for window in found:
            sizes = [window.size]
            if draft:
                sizes.insert(0, Size(*(max(1, round(side * config.draft.scale)) for side in window.size)))
            windows += [_planned(index, replace(window, size=size), config, source) for size in sizes]
    return Plan(tuple(windows), film_bytes, _weight_bytes(config, source), available_bytes, tuple(lengths))


def _windows(request: Request, config: SamplingConfig, source: ModelSource) -> tuple[list[Window], int, int]:
    """The windows of a request, how many frames it holds at once, and how many it gives.

    Frames of a pixel take the place of what is given and made.
    """
    tiny = replace(request, clips=tuple(np.zeros((len(clip), 1, 1, 3), np.uint8) for clip in request.clips))
    left: list[int] = [0]
    made = film(tiny, source.grid, config, [], lambda frames: left.append(left[-1] + len(frames)))
    windows, num, most = [next(made)], sum(map(len, request.clips)), 0
    while True:
        window = windows[-1]
        num += window.num_frames - sum(len(given) for given in (window.first, window.last) if given is not None)
        most = max(most, num - left[-1])
        try:
            windows.append(made.send(np.zeros((window.num_frames, 1, 1, 3), np.uint8)))
        except StopIteration as end:
            return windows, most, left[-1] + len(end.value)


def _planned(index: int, window: Window, config: SamplingConfig, source: ModelSource) -> PlannedWindow:
    layout = window.layout(source.grid)
    solver, tokens = config.solver, layout.tokens.num_tokens
    shift = shift_of(solver.shift or source.flow.shift, layout.tokens, layout.made)
    times = schedule(solver.steps, shift, window.strength)[:-1]
    guided = sum(is_on(config.guidance, time) for time in times) / len(times)
    is_given = window.first is not None or window.last is not None or window.region is not None
    without_clip = config.guidance.image != 1 and is_given
    without_text = source.text_width > 0 and (config.guidance.text != 1 or without_clip)
    asked = without_clip + without_text
    text = config.text_encoder.max_tokens if source.text_width else 0
    widths = {"patch_channels": source.patch_channels, "text_width": source.text_width}
    told, bare = (float(forward_flops(source.shape, [tokens], [count], **widths)[0]) for count in (text, min(text, 1)))
    return PlannedWindow(
        request=index,
        pixels=layout.made,
        latent=layout.latent,
        num_tokens=tokens,
        tflop=looks(solver.kind, solver.steps) * (told + guided * asked * bare) / 1e12,
        model_bytes=_model_bytes(tokens + text, config, source),
        decode_bytes=_decode_bytes(layout.made, source),
    )


def _model_bytes(tokens: int, config: SamplingConfig, source: ModelSource) -> float:
    each = 2 if config.dtype == "bfloat16" else _FP32
    width = source.shape.dimensions().width
    held = each * width * (_BLOCK + _HIDDEN * source.shape.mlp_ratio)
    return tokens * (held + 8 * _FP32 * source.patch_channels)


def _decode_bytes(pixels: PixelShape, source: ModelSource) -> float:
    """The decoder's widest layer at full size, as many frames of it as it works on at once, and the pixels."""
    about, family, tile = source.autoencoder.files.about, source.autoencoder.family, source.autoencoder.config.tile_px
    channels = _channels(about)
    if family.by_frame:
        copies, frames = _PICTURE_DECODER, min(pixels.frames, _PICTURES_AT_ONCE)
    else:
        live = source.autoencoder.stride[0] if family.streams else pixels.frames
        copies, frames = _DECODER, max(live, _FEWEST_FRAMES)
    # Wan's and LTX's classes may put so many pixels a side into one place before the first layer.
    patch = int(about.get("patch_size") or 1)
    height, width = ((min(side, tile) if tile else side) / patch for side in pixels[1:])
    each = _FP32 if source.autoencoder.config.dtype == "float32" else 2
    held = copies * each * channels * frames * height * width
    outputs = 3 if tile and max(pixels[1:]) > tile else 2
    return held + outputs * _FP32 * 3 * float(np.prod(pixels))


def _channels(about: Any) -> int:
    """Channels of a decoder's layer at full size, as diffusers' configs tell it."""
    for name in ("decoder_block_out_channels", "block_out_channels"):
        if about.get(name):
            return int(about[name][0])
    return int(about.get("decoder_base_dim") or about.get("base_dim") or 128)


def _weight_bytes(config: SamplingConfig, source: ModelSource) -> float:
    # Exported in fp32.
    share = 0.5 if config.dtype == "bfloat16" else 1.0
    total = share * _file_bytes(source.files) + _file_bytes(source.autoencoder.files)
    return total + (_file_bytes(source.text_encoder.files) if source.text_encoder else 0.0)


def _file_bytes(files: Pretrained) -> float:
    return float(sum(path.stat().st_size for path in files.path.glob("*.safetensors")))


def available_memory(config: SamplingConfig, device: str) -> float:
    """Bytes that the device has free, or that the config allows.

    Args:
        config: With or without `memory_gib`.
        device: As torch calls it.
    """
    if config.memory_gib is not None:
        return config.memory_gib * 2**30
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[0])
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    limit, used = (Path(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit.is_file() and used.is_file() and (text := limit.read_text(encoding="ascii").strip()) != "max":
        free = min(free, int(text) - int(used.read_text(encoding="ascii")))
    return float(free)


def gib(size: float) -> str:
    """A number of bytes for people."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**28 else f"{size / 2**20:.1f} MiB"
