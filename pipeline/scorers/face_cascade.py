"""MTCNN: three small networks, each looking closer at what the one before took for a face.

Source: Zhang et al. 2016, Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks; the
details that the paper leaves open (strides, rounding, thresholds) as in facenet-pytorch 2.6, whose weights these are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.scorers.model_files import wheel_file
from pipeline.scorers.scorer import Picture

if TYPE_CHECKING:
    from pathlib import Path

    import torch

Boxes = npt.NDArray[np.float32]
"""float32 (N, 5): left, top, right, bottom in pixels, and confidence from 0 to 1."""
Offsets = npt.NDArray[np.float32]
"""float32 (N, 4): how far each edge of a box is off, as shares of its width and height."""

_CELL_PX, _STRIDE_PX = 12, 2
"""The first network looks at squares of this side, at this distance."""
_STEP = 0.709
"""Ratio of two sizes at which faces are looked for: half the area each time."""
_LEAST = (0.6, 0.7, 0.7)
"""What a face must reach in each network."""
_MAX_BOXES = 2000
"""Boxes that go on to the second network: far more than any picture has faces, so that noise costs no minutes."""


def cascade_files() -> list[Path]:
    """The weights of the three networks, in facenet-pytorch's wheel.

    Raises:
        ConfigError: The package is not installed.
    """
    return [wheel_file("facenet_pytorch", "data", f"{name}.pt", scorer="faces") for name in ("pnet", "rnet", "onet")]


class FaceCascade:
    """The three networks.

    Args:
        use_gpu: Whether to run on CUDA.
    """

    def __init__(self, *, use_gpu: bool = False) -> None:
        # torchvision, which facenet-pytorch imports, cannot be imported beside a CPU build of torch without it.
        import pipeline.media.torchvision_cpu  # noqa: F401, I001
        import torch
        from facenet_pytorch.models import mtcnn

        # A worker has one core; what more threads would win on networks so small they lose in waiting.
        torch.set_num_threads(1)
        self._device = torch.device("cuda" if use_gpu else "cpu")
        self._networks = []
        for network, path in zip((mtcnn.PNet, mtcnn.RNet, mtcnn.ONet), cascade_files(), strict=True):
            # Its own loading would unpickle whatever the files hold.
            state = torch.load(path, map_location="cpu", weights_only=True)
            made = network(pretrained=False)
            made.load_state_dict(state)
            self._networks.append(made.eval().to(self._device))

    def __call__(self, picture: Picture, min_face_px: int) -> Boxes:
        """The faces found; cost grows with the inverse square of the smallest.

        Args:
            picture: Where to look.
            min_face_px: Side of the smallest face looked for, in pixels.
        """
        import torch

        with torch.inference_mode():
            image = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device).permute(2, 0, 1)[None].float()
            boxes = self._propose(image, min_face_px)
            boxes, offsets = self._refine(image, boxes, stage=1, side_px=24)
            kept = suppress(boxes, 0.7)
            boxes = square(moved(boxes[kept], offsets[kept], extra_px=1))
            boxes, offsets = self._refine(image, boxes, stage=2, side_px=48)
            boxes = moved(boxes, offsets, extra_px=1)
        return boxes[suppress(boxes, 0.7, by_smaller=True)]

    def _propose(self, image: torch.Tensor, min_face_px: int) -> Boxes:
        """Squares that may hold a face, by the first network, at every size."""
        height, width = image.shape[2:]
        boxes, offsets = [np.empty((0, 5), np.float32)], [np.empty((0, 4), np.float32)]
        for scale in scales(height, width, min_face_px):
            shrunk = _normalised(image, (int(height * scale + 1), int(width * scale + 1)))
            shifts, answers = self._networks[0](shrunk)
            likely = answers[0, 1].cpu().numpy()
            rows, columns = np.nonzero(likely >= _LEAST[0])
            corners = np.stack([columns, rows, columns, rows], axis=1) * _STRIDE_PX + (1, 1, _CELL_PX, _CELL_PX)
            found = np.column_stack([np.floor(corners / scale), likely[rows, columns]]).astype(np.float32)
            kept = suppress(found, 0.5)
            boxes.append(found[kept])
            offsets.append(shifts[0].cpu().numpy()[:, rows, columns].T[kept])
        every, shift = np.concatenate(boxes), np.concatenate(offsets)
        kept = suppress(every, 0.7)[:_MAX_BOXES]
        return square(moved(every[kept], shift[kept], extra_px=0))

    def _refine(self, image: torch.Tensor, boxes: Boxes, stage: int, side_px: int) -> tuple[Boxes, Offsets]:
        """The boxes that a later network takes for faces, with its confidence, and how far they are off."""
        import torch

        windows = list(_windows(boxes, image.shape[3], image.shape[2]))
        if not windows:
            return np.empty((0, 5), np.float32), np.empty((0, 4), np.float32)
        parts = [
            _normalised(image[:, :, top:bottom, left:right], (side_px, side_px))
            for _, left, top, right, bottom in windows
        ]
        answers = self._networks[stage](torch.cat(parts))
        likely, shifts = answers[-1][:, 1].cpu().numpy(), answers[0].cpu().numpy()
        good = likely > _LEAST[stage]
        whole = boxes[[window[0] for window in windows]][good]
        return np.column_stack([whole[:, :4], likely[good]]).astype(np.float32), shifts[good]


def scales(height: int, width: int, min_face_px: int) -> Iterator[float]:
    """How much the picture is shrunk, each time for faces of another size, the smallest first."""
    scale = _CELL_PX / min_face_px
    while min(height, width) * scale >= _CELL_PX:
        yield scale
        scale *= _STEP


def moved(boxes: Boxes, offsets: Offsets, *, extra_px: int) -> Boxes:
    """Boxes with each edge moved by its share of their width or height, to which `extra_px` is added."""
    sides = boxes[:, 2:4] - boxes[:, :2] + extra_px
    return np.column_stack([boxes[:, :4] + offsets * np.tile(sides, 2), boxes[:, 4]]).astype(np.float32)


def square(boxes: Boxes) -> Boxes:
    """Boxes made square around their middle, as large as their longer side."""
    sides = boxes[:, 2:4] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + (sides - longer) / 2
    return np.column_stack([corner, corner + longer, boxes[:, 4]]).astype(np.float32)


def suppress(boxes: Boxes, threshold: float, *, by_smaller: bool = False) -> npt.NDArray[np.int64]:
    """Which boxes stay, the best first: none that has too much in common with a better one.

    Args:
        boxes: With confidence.
        threshold: Most that two may have in common.
        by_smaller: As a share of the smaller of the two, not of both together; in whole pixels.
    """
    extra = 1 if by_smaller else 0
    order = np.argsort(-boxes[:, 4], kind="stable")
    areas = (boxes[:, 2:4] - boxes[:, :2] + extra).prod(axis=1)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:4], boxes[order, 2:4]) - np.maximum(boxes[best, :2], boxes[order, :2]) + extra
        common = np.maximum(sides, 0).prod(axis=1)
        whole = np.minimum(areas[best], areas[order]) if by_smaller else areas[best] + areas[order] - common
        order = order[common <= threshold * whole]
    return np.asarray(kept, np.int64)


def _windows(boxes: Boxes, width: int, height: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Each box's index and the pixels under it; none for a box outside the picture."""
    for index, box in enumerate(boxes):
        left, top, right, bottom = (int(edge) for edge in box[:4])
        left, top, right, bottom = max(left, 1) - 1, max(top, 1) - 1, min(right, width), min(bottom, height)
        if left < right and top < bottom:
            yield index, left, top, right, bottom


def _normalised(image: torch.Tensor, size: tuple[int, int]) -> Any:
    from torch.nn.functional import interpolate

    return (interpolate(image, size=size, mode="area") - 127.5) * 0.0078125
