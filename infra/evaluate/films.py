"""The videos on which a model is judged: unseen scenes of the world with their prompts, at many sizes and lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.captions import caption
from infra.demo.draw import SCENES, Wishes, draw_scene
from infra.demo.render import render_shot
from infra.demo.scene import Scene
from infra.demo.shapes import outline
from infra.demo.staged import STAGED, stage
from infra.evaluate.config import EvaluateConfig, SizeGroup
from schemas.ids import digest

Frames = npt.NDArray[np.uint8]

_TRIES = 200
_MIN_SHARE = 0.7
"""In so many of the frames the subject is in the picture with all of it, and no other thing hides it."""
_NUM_TIMES = 9
_STAGED_SHARE = 6
"""One film in so many is staged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A scene that a model is asked for."""

    name: str
    scene: Scene
    prompt: str
    group: SizeGroup
    size: tuple[int, int]
    """Width and height in pixels."""
    num_frames: int
    rate: float
    """Frames a second."""
    seed: int
    """Of the noise."""

    @property
    def aspect(self) -> str:
        """Which way the picture lies, in words of cinema."""
        ratio = self.size[0] / self.size[1]
        names = {16 / 9: "16:9", 9 / 16: "9:16", 4 / 3: "4:3", 3 / 4: "3:4", 1.0: "1:1", 2.0: "2:1"}
        return names[min(names, key=lambda known: abs(np.log(known / ratio)))]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.num_frames / self.rate

    def key(self, model: str) -> str:
        """What the film made by a model is kept under."""
        return digest([model, self.prompt, list(self.size), self.num_frames, self.rate, self.seed])

    def rendered(self) -> Frames:
        """The world's own footage of it, uint8 (F, H, W, 3)."""
        times_s = [k / self.rate for k in range(self.num_frames)]
        return np.stack(list(render_shot(self.scene, self.size, times_s)))


def draw_films(config: EvaluateConfig) -> list[Film]:
    """The films of a config, sizes and lengths in turn: the same every time."""
    return [_film(config, number) for number in range(config.num_prompts)]


def _film(config: EvaluateConfig, number: int) -> Film:
    group, size = config.places[number % len(config.places)]
    # The lengths go round once for each round of the sizes, so that every size comes in every length.
    num_frames = config.num_frames[(number // len(config.places) + number) % len(config.num_frames)]
    seed = config.seed * 1_000_003 + number
    seconds = num_frames / config.sampling.frame_rate
    is_staged = config.is_staged and config.scenes == "all" and number % _STAGED_SHARE == _STAGED_SHARE - 1
    if is_staged and seconds >= config.staged_seconds:
        scene, prompt = stage(STAGED[number // _STAGED_SHARE % len(STAGED)], seed, seconds, size[0] / size[1])
    else:
        wishes = replace(SCENES[config.scenes], split=config.split)
        scene = draw_visible(np.random.default_rng((seed, 4242)), seconds, size, wishes)
        captions = caption(scene)
        prompt = captions.dense if number % 2 else captions.short
    return Film(
        name=f"{number:04}",
        scene=scene,
        prompt=prompt,
        group=group,
        size=size,
        num_frames=num_frames,
        rate=config.sampling.frame_rate,
        seed=seed,
    )


def draw_visible(rng: np.random.Generator, seconds: float, size: tuple[int, int], wishes: Wishes) -> Scene:
    """A drawn scene whose subject can be judged: it is in the picture with all of it, and seen.

    Raises:
        ValueError: None is found.
    """
    for _ in range(_TRIES):
        scene = draw_scene(rng, seconds, size[0] / size[1], wishes)
        if whole_share(scene, size) >= _MIN_SHARE:
            return scene
    raise ValueError(f"no scene of {seconds} s at {size} has a subject that stays in the picture: {wishes}")


def whole_share(scene: Scene, size: tuple[int, int]) -> float:
    """In what share of a shot the subject is in the picture with all of it and is not hidden by another thing."""
    whole = 0
    for share in np.linspace(0, 1, _NUM_TIMES):
        matrix = scene.camera.pose(float(share * scene.duration_s), scene.duration_s).matrix(size)
        spots = [_spots(scene, index, float(share), matrix) for index in range(len(scene.things))]
        subject = spots[0]
        inside = (subject > 1).all() and (subject < np.array(size) - 2).all()
        whole += bool(inside) and not _is_hidden(scene, spots, float(share))
    return whole / _NUM_TIMES


def _spots(scene: Scene, index: int, share: float, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The outline of a thing in the picture, (P, 2)."""
    thing = scene.things[index]
    place = thing.path.at(share * scene.duration_s)
    points = np.column_stack([outline(thing.shape) * thing.height, np.zeros(len(outline(thing.shape)))]) + place
    seen = points @ matrix[:, :3].T + matrix[:, 3]
    return np.asarray(seen[:, :2] / np.maximum(seen[:, 2:], 1e-3))


def _is_hidden(scene: Scene, spots: list[npt.NDArray[np.float64]], share: float) -> bool:
    """Whether nearer things cover more than a tenth of the subject."""
    depth = [float(thing.path.at(share * scene.duration_s)[2]) for thing in scene.things]
    low = spots[0].min(axis=0)
    span = float((spots[0].max(axis=0) - low).max())

    def mask(index: int) -> npt.NDArray[np.uint8]:
        canvas = np.zeros((40, 40), np.uint8)
        cv2.fillPoly(canvas, [np.round((spots[index] - low) / max(span, 1e-6) * 39).astype(np.int32)], (1,))
        return canvas

    own = mask(0)
    for index in range(1, len(spots)):
        if depth[index] < depth[0] and (mask(index) & own).sum() > 0.1 * own.sum():
            return True
    return False
