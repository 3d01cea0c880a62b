"""Pictures whose content is known: views of a made-up scene, and marks and lettering over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest

Picture = npt.NDArray[np.uint8]


def make_scene(seed: int, height: int = 288, width: int = 512) -> Picture:
    """Blobs, edges and grain at several sizes."""
    rng = np.random.default_rng(seed)
    scene = np.zeros((height, width, 3), np.float32)
    for cells, share in ((4, 0.5), (14, 0.3), (60, 0.15)):
        grid = rng.uniform(0, 255, (cells, cells * width // height, 3)).astype(np.float32)
        scene += share * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        at = tuple(int(v) for v in rng.uniform((0, 0), (width, height)))
        color = tuple(float(v) for v in rng.uniform(0, 255, 3))
        cv2.circle(scene, at, int(rng.uniform(8, 50)), color, -1, cv2.LINE_AA)
    return np.clip(scene, 0, 255).astype(np.uint8)


def write(picture: Picture, text: str, x: int, y: int, scale: float, alpha: float = 1.0) -> Picture:
    """White words over a picture, more or less transparent, and the picture stored as a JPEG."""
    ink = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(ink, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, scale, 255, max(1, round(scale * 2)), cv2.LINE_AA)
    cover = alpha * ink[..., None].astype(np.float32) / 255
    return stored(np.rint(picture * (1 - cover) + 255 * cover).astype(np.uint8))


def stored(picture: Picture) -> Picture:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@pytest.fixture(scope="session")
def scene() -> Callable[..., Picture]:
    return make_scene


@pytest.fixture(scope="session")
def lettered() -> Callable[..., Picture]:
    return write


@pytest.fixture(scope="session")
def views() -> Callable[[int], Sequence[Picture]]:
    """So many different views."""
    return lambda count, seed=0: [stored(make_scene(100 * seed + k)) for k in range(count)]
