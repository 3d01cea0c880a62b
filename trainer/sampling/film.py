"""A request as windows: what the model is asked for, one after the other, and how the answers become one film.

Nothing here computes. A film is a generator that yields each window and is sent its frames, so that the windows of
many requests can be made together, and a plan can walk through it without a model. Where a film grows at its end alone,
frames leave it as soon as no later window needs them, so that a long one takes no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import count
from typing import Any

import numpy as np

from schemas import ConfigError
from trainer.sampling.config import SamplingConfig
from trainer.sampling.join import joined
from trainer.sampling.layout import Grid
from trainer.sampling.request import Frames, Mode, Request
from trainer.sampling.window import Window

Film = Generator[Window, Frames, Frames]
"""Yields windows, is sent their frames, returns what of the film has not left it before."""
Emit = Callable[[Frames], None]
"""Takes frames that leave a film, in order."""


def film(request: Request, grid: Grid, config: SamplingConfig, say: list[str], emit: Emit) -> Film:
    """The windows of a request, which `check` has let pass.

    Args:
        request: What is wanted.
        grid: The model's.
        config: Lengths of windows and contexts.
        say: Sentences for the user are added to it.
        emit: Takes the frames that leave it before its end.

    Raises:
        ConfigError: A clip is too short or too long for what is asked.
    """
    maker = _Maker(request, grid, config, say)
    clips, num = request.clips, request.num_frames
    match request.mode:
        case Mode.text:
            return maker.forward(None, num, emit=emit)
        case Mode.shots:
            return maker.shots(clips[0] if clips else None, emit)
        case Mode.image:
            return maker.forward(clips[0][:1], num - 1, emit=emit)
        case Mode.forward:
            return maker.forward(clips[0], num, emit=emit)
        case Mode.backward:
            return maker.backward(clips[0], num)
        case Mode.both:
            return maker.both(clips[0], num)
        case Mode.connect:
            return maker.forward(clips[0], num, clips[1], emit=emit)
        case Mode.loop:
            return maker.loop(clips[0] if clips else None, num)
        case Mode.edit | Mode.inpaint:
            return maker.again(clips[0])


class _Maker:
    """The films of one request."""

    def __init__(self, request: Request, grid: Grid, config: SamplingConfig, say: list[str]) -> None:
        self._request, self._grid, self._say = request, grid, say
        self._stride = grid.stride[0]
        self._most = grid.frames_up(config.frames(config.window_s))
        self._context = grid.frames_down(max(1 + self._stride, config.frames(config.context_s)))
        self._closing = config.frames(config.loop_s)
        self._pieces = count()
        if self._most < 2 * self._context:
            raise ConfigError(
                f"window_s: {self._most} frames leave nothing to be made between two contexts of {self._context}; the "
                f"autoencoder takes {self._stride} frames as one"
            )

    def shots(self, before: Frames | None, emit: Emit) -> Film:
        """Go on with one prompt after the other; a cut begins with nothing again."""
        done = before
        for shot in self._request.shots:
            if shot.is_cut and done is not None:
                emit(done)
                done = None
            done = yield from self.forward(done, shot.num_frames, emit=emit, prompt=shot.prompt)
        assert done is not None
        return done

    def forward(
        self,
        before: Frames | None,
        num: int,
        after: Frames | None = None,
        *,
        context: int | None = None,
        emit: Emit | None = None,
        prompt: str | None = None,
    ) -> Film:
        """Go on from a clip, or begin with nothing; lead up to another one where it is given.

        With `emit`, what no window needs any more leaves the film.
        """
        context = context or self._context
        head = None if after is None else self._head(after, context)
        num_head = 0 if head is None else len(head) - 1
        # The first frame of what it leads up to is made anew, see `Window.last`.
        left = num + (after is not None)
        done = before
        while left > 0:
            tail = None if done is None else done[-self._grid.frames_down(min(len(done), context)) :]
            num_tail = 0 if tail is None else len(tail)
            now = self._up(left, after_tail=tail is not None)
            is_last = num_tail + now + num_head <= self._most
            if not is_last:
                at_once = self._most - num_tail
                now = at_once if now > at_once else self._up(left // 2, after_tail=tail is not None)
            ends = head if is_last else None
            if emit is not None and done is not None and num_tail < len(done):
                emit(done[:-num_tail])
                done = done[-num_tail:]
            num_window = num_tail + now + (num_head if is_last else 0)
            frames = yield self._window(num_window, first=tail, last=ends, prompt=prompt or self._request.prompt)
            done = frames if done is None else joined(done, frames, num_tail, ends_after=True)
            left -= now
        assert done is not None
        if after is None:
            return done[: len(done) + left]
        if left:
            self._say.append(f"between the clips {num - left} frames are made and not {num}: the model's grid")
        return joined(done, after[1:], num_head, ends_after=False)

    def backward(self, after: Frames, num: int) -> Film:
        """Lead up to a clip."""
        left, done = num, after
        while left > 0:
            head = self._head(done, self._context)
            num_head = len(head) - 1
            # One more: the clip's first frame is made anew.
            now = min(self._grid.frames_up(left + 1), self._most - num_head)
            frames = yield self._window(now + num_head, last=head)
            done = joined(frames, done[1:], num_head, ends_after=False)
            left -= now - 1
        return done[-left:] if left else done

    def both(self, clip: Frames, num: int) -> Film:
        """Lead up to a clip and go on from it."""
        longer = yield from self.forward(clip, num)
        return (yield from self.backward(longer, num))

    def loop(self, clip: Frames | None, num: int) -> Film:
        """A film whose last frame is followed by its first."""
        if clip is None and self._stride == 1 and num <= self._most:
            self._say.append("latent time wraps: the end goes on with the beginning")
            return (yield self._window(num, wraps=True))
        closing = num
        if clip is None:
            made = self._up(self._closing + 1, after_tail=True)
            closing = made - 1
            least = 2 * self._stride + 1
            if num - made < least:
                raise ConfigError(
                    f"a loop of {num} frames is too short: closing it takes {made} (loop_s), and before that come at "
                    f"least {least}"
                )
            clip = yield from self.forward(None, num - made + 1)
            self._say.append(
                f"{self._stride} frames are one to the autoencoder, so latent time cannot wrap: the last {made} frames "
                "lead from the end back to the beginning"
            )
        return (yield from self._closed(clip, closing))

    def _closed(self, clip: Frames, num: int) -> Film:
        """A clip and a passage from its end to its beginning."""
        # What the model sees of its end and of its beginning may not be the same frames.
        steps = min((self._context - 1) // self._stride, (len(clip) - 2) // (2 * self._stride))
        if steps < 1:
            raise ConfigError(
                f"a clip of {len(clip)} frames is too short to be closed: {2 * self._stride + 2} are needed"
            )
        context = 1 + steps * self._stride
        whole = yield from self.forward(clip, num, clip, context=context)
        period = len(whole) - len(clip)
        # The clip is there twice, once with its end and once with its beginning faded: one turn has both.
        start = len(self._head(clip, context))
        turn = whole[start : start + period]
        return np.roll(turn, start - period - 1, axis=0)

    def again(self, clip: Frames) -> Film:
        """The same clip, all or a part of it made anew."""
        num = self._grid.frames_down(len(clip))
        if num > self._most:
            raise ConfigError(
                f"a clip of {len(clip)} frames is longer than window_s, {self._most} frames, and is made at once"
            )
        if num < len(clip):
            self._say.append(f"of the clip's {len(clip)} frames the first {num} are on the model's grid")
        request = self._request
        strength = request.strength if request.mode is Mode.edit else 1.0
        return (yield self._window(num, whole=clip[:num], strength=strength, region=request.region))

    def _head(self, clip: Frames, context: int) -> Frames:
        """The first frames of a clip, of which all but the very first can be given as what a window ends with."""
        num = self._grid.frames_down(min(len(clip), max(context, 1 + self._stride)))
        if num < 1 + self._stride:
            raise ConfigError(f"a clip of {len(clip)} frames is too short to lead up to: {1 + self._stride} are needed")
        return clip[:num]

    def _up(self, num: int, *, after_tail: bool) -> int:
        """The next number of frames that can be made."""
        if after_tail:
            return -(-num // self._stride) * self._stride
        return self._grid.frames_up(num)

    def _window(self, num_frames: int, **given: Any) -> Window:
        request = self._request
        return Window(
            prompt=given.pop("prompt", request.prompt),
            size=request.size,
            num_frames=num_frames,
            seed=request.seed,
            piece=next(self._pieces),
            variation=request.variation,
            variation_seed=request.variation_seed,
            **given,
        )
