"""The ways of sampling, run and measured: what is given is kept, and joins do not show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from infra.demo.captions import caption
from infra.demo.draw import SCENES
from infra.demo.render import render_shot
from infra.demo.scene import Scene
from infra.demo.vocabulary import COLORS
from infra.evaluate.asked import read_prompt
from infra.evaluate.config import EvaluateConfig
from infra.evaluate.films import Frames, draw_visible
from infra.evaluate.made import model_digest
from infra.evaluate.match import closest
from infra.evaluate.modes import (
    color_drift,
    kept_psnr_db,
    path_correlation,
    psnr_db,
    same_ends,
    seam_ratio,
    wrap_ratio,
)
from infra.evaluate.objects import follow, working
from infra.evaluate.shot_lists import draw_shots, kept_subject
from infra.evaluate.targets import Measured
from schemas.ids import digest
from trainer.sampling import Mode, ModelSource, Request, Shot, Size
from trainer.sampling.provenance import record_of
from trainer.sampling.writing import write

if TYPE_CHECKING:
    from trainer.sampling.sampler import Sampler

_MOST = 100.0
"""Of decibels: alike to the last bit is no number that JSON has."""
RoundTrip = Callable[[Frames], Frames]
"""Frames through the autoencoder and back."""


@dataclass(frozen=True, slots=True)
class _Case:
    """Requests that are measured together."""

    name: str
    requests: tuple[Request, ...]
    measure: Callable[[Sequence[Frames]], list[tuple[str, float]]]
    footage: Frames | None = None
    """What would be right, where that can be rendered: it is measured, too."""


def measure_ways(
    config: EvaluateConfig,
    source: ModelSource,
    sampler: Callable[[], Sampler],
    round_trip: RoundTrip,
    say: Callable[[str], None],
) -> list[Measured]:
    """Run every way of sampling; what was measured before is read from `out/ways`.

    Raises:
        ConfigError: A request cannot be made, or a file cannot be written.
    """
    folder = config.out / "ways"
    folder.mkdir(parents=True, exist_ok=True)
    key = digest([model_digest(config, source), config.modes.model_dump(mode="json"), config.seed])[:12]
    found: list[Measured] = []
    for case in _cases(config, round_trip):
        path = folder / f"{key}-{case.name}.json"
        if not path.exists():
            videos = [sampled.frames for sampled in sampler().sample(list(case.requests))]
            ceilings = {} if case.footage is None else dict(case.measure([case.footage]))
            values = [
                asdict(Measured(name, case.name, min(value, _MOST), ceilings.get(name)))
                for name, value in case.measure(videos)
            ]
            about = {
                "prompt": case.requests[0].prompt,
                "mode": case.requests[0].mode.value,
                "model_digest": source.digest,
            }
            write(path.with_suffix(".mp4"), videos[0], config.sampling.rate, config.sampling.crf, record_of(about))
            path.write_text(json.dumps(values) + "\n", encoding="utf-8")
            say(f"{case.name} measured")
        found += [Measured(**values) for values in json.loads(path.read_text(encoding="utf-8"))]
    return found


def _cases(config: EvaluateConfig, round_trip: RoundTrip) -> Iterator[_Case]:
    for number in range(config.modes.num):
        cases = _Cases(config, round_trip, number)
        yield cases.image()
        yield cases.forward()
        yield cases.connect()
        yield cases.loop()
        yield cases.edit()
        yield cases.shots()
        if number < max(1, config.modes.num // 4):
            yield cases.backward()
    yield _Cases(config, round_trip, 0).long()


class _Cases:
    """The cases of one scene: one thing before a camera that stands still, so that what changes is its doing."""

    def __init__(self, config: EvaluateConfig, round_trip: RoundTrip, number: int) -> None:
        modes = config.modes
        self._modes, self._number, self._round_trip = modes, number, round_trip
        self._split = config.split
        self._config, self._rate = config.sampling, config.sampling.frame_rate
        self._num = 2 * modes.num_given + modes.num_made
        self._seed = config.seed * 1_000_003 + 500_000 + number
        wishes = replace(SCENES["single"], sizes=SCENES[config.scenes].sizes, split=config.split)
        scene = draw_visible(np.random.default_rng((self._seed, 99)), self._num / self._rate, modes.size, wishes)
        self._scene = replace(scene, light_change="steady", occluder="none")
        self._frames = self._rendered(self._scene, self._num)

    def image(self) -> _Case:
        given = self._frames[:1]
        kept = self._round_trip(given)

        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            return [("image: first frame, dB", psnr_db(videos[0][:1], kept))]

        return self._case("image", [self._request(Mode.image, self._modes.num_whole, (given,))], measure)

    def forward(self) -> _Case:
        given = self._frames[: self._modes.num_given]
        kept = self._round_trip(given)

        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            own = videos[0][: len(given)]
            return [
                ("forward: given part, dB", kept_psnr_db(own, given, kept)),
                ("forward: seam", seam_ratio(videos[0], len(given))),
            ]

        return self._case("forward", [self._request(Mode.forward, self._modes.num_made, (given,))], measure)

    def backward(self) -> _Case:
        given = self._frames[-self._modes.num_given :]
        kept = self._round_trip(given)
        first = self._request(Mode.backward, self._modes.num_made, (given,))
        requests = [replace(first, seed=first.seed + k) for k in range(self._modes.num_backward)]

        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            own = videos[0][-len(given) :]
            # At first a clip is faded into from what leads up to it; from the middle on it must be itself.
            ends = same_ends(videos, max(1, len(given) // 2))
            return [
                ("backward: given part, dB", kept_psnr_db(own, given, kept)),
                ("backward: seam", seam_ratio(videos[0], len(videos[0]) - len(given))),
                ("backward: ends of all seeds, dB", ends),
            ]

        return self._case("backward", requests, measure)

    def connect(self) -> _Case:
        num = self._modes.num_given
        clips = (self._frames[:num], self._frames[-num:])

        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            seams = {"first": num, "second": len(videos[0]) - num}
            return [(f"connect: {name} seam", seam_ratio(videos[0], seam)) for name, seam in seams.items()]

        return self._case("connect", [self._request(Mode.connect, self._modes.num_made, clips)], measure)

    def loop(self) -> _Case:
        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            return [("loop: wrap", wrap_ratio(videos[0]))]

        num = max(self._modes.num_whole, 2 * self._modes.num_given)
        return self._case("loop", [self._request(Mode.loop, num, ())], measure)

    def edit(self) -> _Case:
        given = self._frames[: self._modes.num_whole]
        old = self._scene.things[0]
        names = [name for name in COLORS if name != old.color]
        color = names[self._seed % len(names)]
        prompt = self._prompt().replace(f" {old.color} ", f" {color} ")
        request = replace(self._request(Mode.edit, len(given), (given,)), prompt=prompt, strength=self._modes.strength)
        asked = read_prompt(prompt)

        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            seen = [follow(working(frames)) for frames in (given[: len(videos[0])], videos[0])]
            before = closest(read_prompt(self._prompt()).things[0], seen[0])
            after = closest(asked.things[0], seen[1])
            if before is None or after is None:
                return [("edit: path correlation", 0.0), ("edit: colour has changed", 0.0)]
            return [
                ("edit: path correlation", path_correlation(before, after)),
                ("edit: colour has changed", float(after.color == color)),
            ]

        return self._case("edit", [request], measure)

    def shots(self) -> _Case:
        lengths = (self._modes.num_whole, self._modes.num_made, self._modes.num_made)
        # A cut is in turn the second and the first of the two changes.
        cuts = (False, self._number % 2 == 0, self._number % 2 == 1)
        rng = np.random.default_rng((self._seed, 101))
        scenes = draw_shots(rng, [num / self._rate for num in lengths], cuts, self._modes.size, self._split)
        prompts = [caption(scene).dense for scene in scenes]
        subject = read_prompt(prompts[0]).things[0]
        shots = tuple(map(Shot, prompts, lengths, cuts))
        request = replace(self._request(Mode.shots, sum(lengths), ()), prompt=prompts[0], shots=shots)

        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            parts = np.split(videos[0], np.cumsum(lengths)[:-1])
            right, same = kept_subject(subject, [follow(working(part)) for part in parts])
            return [("shots: subject right", right), ("shots: subject the same", same)]

        footage = np.concatenate(list(map(self._rendered, scenes, lengths)))
        return replace(self._case("shots", [request], measure), footage=footage)

    def long(self) -> _Case:
        rate = self._rate

        def measure(videos: Sequence[Frames]) -> list[tuple[str, float]]:
            return [("long: colour drift", color_drift(videos[0], max(1, round(rate))))]

        request = self._request(Mode.text, self._config.frames(self._modes.long_seconds), ())
        return self._case("long", [request], measure)

    def _case(
        self, name: str, requests: list[Request], measure: Callable[[Sequence[Frames]], list[tuple[str, float]]]
    ) -> _Case:
        return _Case(f"{name}-{self._number}", tuple(requests), measure)

    def _prompt(self) -> str:
        return caption(self._scene).dense

    def _request(self, mode: Mode, num_frames: int, clips: tuple[Frames, ...]) -> Request:
        return Request(
            prompt=self._prompt(),
            size=Size(*self._modes.size),
            num_frames=num_frames,
            seed=self._seed,
            mode=mode,
            clips=clips,
        )

    def _rendered(self, scene: Scene, num_frames: int) -> Frames:
        times_s = [k / self._rate for k in range(num_frames)]
        return np.stack(list(render_shot(scene, self._modes.size, times_s)))


def autoencoder_trip(source: ModelSource, device: str) -> RoundTrip:
    """What a model's autoencoder makes of frames whose sides and number are on its grid.

    Raises:
        ConfigError: It cannot be loaded.
    """
    import torch

    from trainer.autoencoder import load

    codec = load(source.autoencoder, device)

    def trip(frames: Frames) -> Frames:
        over_t, over_h, over_w = source.autoencoder.stride
        num, height, width = frames.shape[:3]
        more = ((0, -(num - 1) % over_t), (0, -height % over_h), (0, -width % over_w), (0, 0))
        padded = np.pad(frames, more, mode="edge")
        with torch.inference_mode():
            pixels = torch.from_numpy(padded).permute(3, 0, 1, 2).float() / 127.5 - 1
            back = codec.decode(codec.encode(pixels).cpu())
        shown = ((back + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()
        return np.ascontiguousarray(shown[:num, :height, :width])

    return trip
