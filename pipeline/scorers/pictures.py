"""Preview pictures as scorers see them: decoded within bounds, cut to the clip's crop, gathered by clip."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.previews import Preview
from pipeline.scorers.scorer import Picture

MAX_PIXELS = 2**24
"""Of one picture: previews have at most 2048 on their longer side."""
MAX_PICTURES = 32
"""Of one clip: as many as a scan keeps at most."""
_MEMBER = re.compile(r"([0-9a-z_-]{1,64})\.([0-9]{1,3})\.jpg")
_BASELINE = (0xC0, 0xC1)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset(range(0xD0, 0xD8)) | {0x01}


@dataclass(frozen=True, slots=True, kw_only=True)
class CropShape:
    """A clip's crop and the picture that it is a part of, in displayed pixels."""

    width: int
    height: int
    crop_x: int
    crop_y: int
    crop_width: int
    crop_height: int


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a whole baseline JPEG, read from its headers; None for anything else.

    A progressive one may ask for hours of work in a few kilobytes, and we write none.
    """
    if data[:2] != b"\xff\xd8" or data[-2:] != b"\xff\xd9":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height = int.from_bytes(data[at + 5 : at + 7])
            width = int.from_bytes(data[at + 7 : at + 9])
            return (width, height) if marker in _BASELINE else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def decode(data: bytes) -> Picture | None:
    """A JPEG as RGB; None where it is none, a cut-off one, or too large."""
    size = jpeg_size(data)
    if size is None or not 0 < size[0] * size[1] <= MAX_PIXELS:
        return None
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture, np.uint8)


def cut(picture: Picture, shape: CropShape) -> Picture:
    """The part of a preview that shows the clip's crop, at least one pixel of it.

    Args:
        picture: The whole picture as displayed, at any size.
        shape: Where the crop lies in it.
    """
    height, width = picture.shape[:2]
    left, right = _scaled(shape.crop_x, shape.crop_width, shape.width, width)
    top, bottom = _scaled(shape.crop_y, shape.crop_height, shape.height, height)
    return picture[top:bottom, left:right]


def _scaled(start: int, length: int, whole: int, pixels: int) -> tuple[int, int]:
    if whole <= 0 or length <= 0:
        return 0, pixels
    first = min(max(round(start * pixels / whole), 0), pixels - 1)
    return first, min(max(round((start + length) * pixels / whole), first + 1), pixels)


def by_clip(previews: Iterable[Preview], shapes: Mapping[str, CropShape]) -> Iterator[tuple[str, list[Picture]]]:
    """The clips' pictures that can be read, in order of time, a clip at a time and each clip once.

    Pictures of a clip lie side by side in a tar that we wrote. Members that name no clip of `shapes` are passed over.

    Args:
        previews: Names and JPEGs, as they come.
        shapes: The crops of the clips wanted, by clip id.
    """
    seen: set[str] = set()
    for clip_id, members in itertools.groupby(_members(previews, shapes), key=lambda member: member[0]):
        if clip_id in seen:
            continue
        seen.add(clip_id)
        pictures: dict[int, Picture] = {}
        for _, index, data in members:
            picture = decode(data) if len(pictures) < MAX_PICTURES and index not in pictures else None
            if picture is not None:
                pictures[index] = cut(picture, shapes[clip_id])
        if pictures:
            yield clip_id, [pictures[index] for index in sorted(pictures)]


def _members(previews: Iterable[Preview], wanted: Mapping[str, object]) -> Iterator[tuple[str, int, bytes]]:
    for name, data in previews:
        match = _MEMBER.fullmatch(name)
        if match and match[1] in wanted:
            yield match[1], int(match[2]), data
