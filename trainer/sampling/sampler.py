"""The sampler: requests in, frames out, windows of different sizes in one pack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import torch

from schemas import ConfigError
from trainer.autoencoder import load
from trainer.export import load_model
from trainer.model.patchify import unpatchify
from trainer.packing.best_fit import best_fit
from trainer.sampling.config import SamplingConfig
from trainer.sampling.film import Film, film
from trainer.sampling.layout import Layout, lay_out
from trainer.sampling.model import ModelSource
from trainer.sampling.noise import draw, refined, varied
from trainer.sampling.pack import PackVelocity, Prepared, example_of, spread, turning
from trainer.sampling.request import Frames, Mode, Request, Size, check
from trainer.sampling.solver import SOLVERS, schedule
from trainer.sampling.window import Window
from trainer.text_encoder import load_text_encoder
from trainer.times import shift_of

OnDraft = Callable[[Window, Frames], None]
"""Told of the small draft of a window."""
OnStep = Callable[[int, int, int], None]
"""Told of each step: which, of how many, and how many windows are in the pack."""


Sink = Callable[[Frames, bool], None]
"""Takes the frames of an output in order, uint8 (F, H, W, 3) at a time, and whether they are the last."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """What became of a request."""

    request: Request
    frames: Frames
    notes: tuple[str, ...]
    """Sentences on what is not exactly as it was asked for."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A request under way."""

    index: int
    film: Film
    window: Window


class Sampler:
    """A loaded model with its encoders.

    Args:
        config: How it is asked.
        source: What `find_model` found.
        on_step: Told of the progress.

    Raises:
        ConfigError: Something of it cannot be loaded.
    """

    def __init__(
        self, config: SamplingConfig, source: ModelSource, on_step: OnStep = lambda step, steps, num: None
    ) -> None:
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.config, self.source = config, source
        self.device = device_of(config)
        self._on_step = on_step
        model, _ = load_model(source.folder)
        self._model = model.to(device=self.device, dtype=getattr(torch, config.dtype)).requires_grad_(False)
        self._autoencoder = load(source.autoencoder, self.device)
        self._text_encoder = load_text_encoder(source.text_encoder, self.device) if source.text_encoder else None
        self._texts: dict[str, torch.Tensor | None] = {}

    def sample(self, requests: Sequence[Request], on_draft: OnDraft | None = None) -> list[Sampled]:
        """Make videos and pictures of any sizes together.

        Args:
            requests: At least one.
            on_draft: With it, each window is made small first, told, and then made at its size from that.

        Raises:
            ConfigError: One of them cannot be made.
        """
        parts: list[list[Frames]] = [[] for _ in requests]

        def sink_of(part: list[Frames]) -> Sink:
            return lambda frames, is_last: part.append(frames)

        notes = self.stream(requests, list(map(sink_of, parts)), on_draft)
        return [
            Sampled(request, np.concatenate(part), said)
            for request, part, said in zip(requests, parts, notes, strict=True)
        ]

    def stream(
        self, requests: Sequence[Request], sinks: Sequence[Sink], on_draft: OnDraft | None = None
    ) -> list[tuple[str, ...]]:
        """Make videos and pictures of any sizes together, and pass frames on as soon as they are final.

        Args:
            requests: At least one.
            sinks: Of each, where its frames go.
            on_draft: As in `sample`.

        Returns:
            The notes of each.

        Raises:
            ConfigError: One of them cannot be made.
        """
        notes: list[list[str]] = [[] for _ in requests]
        films = []
        for request, sink, said in zip(requests, sinks, notes, strict=True):
            check(request, self.config)
            if on_draft is not None and request.mode in (Mode.edit, Mode.inpaint):
                raise ConfigError(f"{request.mode} begins with a clip, and a draft with noise: they do not go together")
            for prompt in request.prompts:
                self._read(prompt, said)
            films.append(film(request, self.source.grid, self.config, said, partial(_emit, sink)))
        # What a server was asked before is not kept for ever.
        wanted = {prompt for request in requests for prompt in request.prompts}
        self._texts = {prompt: text for prompt, text in self._texts.items() if prompt in wanted}
        turns = [_Turn(index, one, next(one)) for index, one in enumerate(films)]
        with torch.inference_mode():
            while turns:
                made = self._make([turn.window for turn in turns], on_draft)
                going_on = []
                for turn, frames in zip(turns, made, strict=True):
                    try:
                        going_on.append(replace(turn, window=turn.film.send(frames)))
                    except StopIteration as end:
                        sinks[turn.index](end.value, True)
                turns = going_on
        for request, said in zip(requests, notes, strict=True):
            layout = lay_out(1, request.size.height, request.size.width, self.source.grid)
            said.extend(filter(None, [layout.note()]))
        return [tuple(said) for said in notes]

    def _read(self, prompt: str, say: list[str]) -> None:
        """Encode a prompt, once."""
        if prompt in self._texts:
            return
        if self._text_encoder is None:
            say.append("the model reads no text: the prompt changes nothing")
            self._texts[prompt] = None
            return
        (text_MT,) = self._text_encoder.encode([prompt])
        most = self.config.text_encoder.max_tokens
        if len(text_MT) >= most:
            say.append(f"the prompt fills the {most} tokens of text_encoder.max_tokens; what goes beyond is not read")
        self._texts[prompt] = text_MT if len(text_MT) else None

    def _make(self, windows: Sequence[Window], on_draft: OnDraft | None) -> list[Frames]:
        """The frames of windows, in their order; first small where drafts are wanted."""
        if on_draft is None:
            return self._packed([self._prepared(window, self._noise(window)) for window in windows])
        small = [draft_of(window, self.config.draft.scale) for window in windows]
        drafts = self._make(small, None)
        prepared = []
        for window, less, frames in zip(windows, small, drafts, strict=True):
            on_draft(less, frames)
            noise = refined(self._noise(less), self._noise(window))
            larger = replace(window, whole=resized(frames, window.size), strength=self.config.draft.strength)
            prepared.append(self._prepared(larger, noise))
        return self._packed(prepared)

    def _noise(self, window: Window) -> torch.Tensor:
        """Noise on the CPU, so that a seed means the same on every device."""
        shape = window.layout(self.source.grid).latent
        name = f"piece {window.piece}" if window.piece else ""
        noise = draw(shape, window.seed, name)
        if not window.variation:
            return noise
        return varied(noise, draw(shape, window.variation_seed, name), window.variation)

    def _prepared(self, window: Window, noise: torch.Tensor) -> Prepared:
        """Encode what is given of a window."""
        layout = window.layout(self.source.grid)
        clean = torch.zeros(tuple(layout.latent))
        if window.whole is not None:
            clean = self._encoded(window.whole, layout)
        given = window.given(layout, self.source.grid, self.config.frame_rate)
        if window.first is not None:
            clean[:, : given.first] = self._encoded(window.first, layout)
        if window.last is not None:
            clean[:, clean.shape[1] - given.last :] = self._encoded(window.last, layout)[:, 1:]
        solver, flow = self.config.solver, self.source.flow
        shift = shift_of(solver.shift or flow.shift, layout.tokens, layout.made)
        return Prepared(
            name="",
            task=window.task,
            layout=layout,
            clean_CFHW=clean,
            noise_CFHW=noise,
            given_L=torch.from_numpy(given.mask(layout.tokens).reshape(-1)),
            text_MT=self._texts[window.prompt],
            times=tuple(schedule(solver.steps, shift, window.strength)),
            wrap_seed=window.seed if window.wraps else None,
        )

    def _packed(self, windows: Sequence[Prepared]) -> list[Frames]:
        """The frames of windows, pack by pack."""
        sizes = np.array([window.layout.tokens.num_tokens for window in windows], np.int64)
        made: dict[int, Frames] = {}
        for members in best_fit(sizes, max(self.config.pack_tokens, int(sizes.max()))):
            places = [int(member) for member in members]
            latents = self._solved([replace(windows[place], name=f"{place:08d}") for place in places])
            for place in places:
                made[place] = self._decoded(latents[f"{place:08d}"], windows[place].layout)
        return [made[place] for place in range(len(windows))]

    def _solved(self, windows: Sequence[Prepared]) -> dict[str, torch.Tensor]:
        """The latents of one pack, by name."""
        rate, over_t = self.config.frame_rate, self.source.grid.stride[0]
        named = {window.name: window for window in windows}
        examples = [
            example_of(window, self.source.shape, [k * over_t / rate for k in range(window.layout.latent.frames)])
            for window in windows
        ]
        guidance, text_width = self.config.guidance, self.source.text_width
        velocity = PackVelocity(self._model, examples, text_width, self.source.flow, guidance)
        ordered = [named[example.clip_id] for example in velocity.batch.examples]
        times = spread([window.times for window in ordered], velocity.made_L, velocity.lengths)
        frames = [window.layout.tokens.frames for window in ordered]
        turned = turning(velocity, frames, velocity.lengths, [window.wrap_seed for window in ordered])
        steps = self.config.solver.steps
        x_LP = SOLVERS[self.config.solver.kind](
            turned,
            velocity.batch.packed.patches_LP,
            times,
            lambda step: self._on_step(step, steps, len(windows)),
        )
        if not bool(x_LP.isfinite().all()):
            raise ConfigError(f"{self.source.folder}: gives values that are not finite (dtype is {self.config.dtype})")
        patch = self.source.shape.patch
        return {
            window.name: unpatchify(part, window.layout.tokens, patch)
            for window, part in zip(ordered, x_LP.split_with_sizes(list(velocity.lengths)), strict=True)
        }

    def _encoded(self, frames: Frames, layout: Layout) -> torch.Tensor:
        """The latent of frames of the wanted size, on the CPU; up to the size that is made their edges are repeated."""
        above, below, left, right = layout.margins
        padded = np.pad(frames, ((0, 0), (above, below), (left, right), (0, 0)), mode="edge")
        pixels = torch.from_numpy(padded).permute(3, 0, 1, 2).float() / 127.5 - 1
        # A copy: it is written into, which tensors made under inference mode elsewhere forbid.
        return self._autoencoder.encode(pixels).cpu().clone()

    def _decoded(self, latent: torch.Tensor, layout: Layout) -> Frames:
        """The frames of a latent, cut to the wanted size."""
        height, width = layout.wanted.height, layout.wanted.width
        pixels = self._autoencoder.decode(latent)[
            :, :, layout.top : layout.top + height, layout.left : layout.left + width
        ]
        frames = ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return frames.permute(1, 2, 3, 0).contiguous().cpu().numpy()


def _emit(sink: Sink, frames: Frames) -> None:
    sink(frames, False)


def device_of(config: SamplingConfig) -> str:
    """Where a config computes.

    Raises:
        ConfigError: It names a GPU and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: is cuda, and there is no GPU")
    if config.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return config.device


def draft_of(window: Window, scale: float) -> Window:
    """The same window at a smaller size, with all that is given of it."""
    size = Size(*(max(1, round(side * scale)) for side in window.size))
    first, last = (None if given is None else resized(given, size) for given in (window.first, window.last))
    return replace(window, size=size, first=first, last=last)


def resized(frames: Frames, size: Size) -> Frames:
    """Frames at another size, uint8 (F, H, W, 3)."""
    smaller = size.width < frames.shape[2]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.stack([np.asarray(cv2.resize(frame, tuple(size), interpolation=how), np.uint8) for frame in frames])
