"""Preview pictures in the dataset: one tar a video, the same bytes for the same pictures."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schemas import ErrorKind, MediaError

if TYPE_CHECKING:
    from pipeline.dataset import Dataset

Preview = tuple[str, bytes]
"""The picture's name in the tar (`CLIP_ID.K.jpg`) and its JPEG bytes."""


def write_previews(dataset: Dataset, video_id: str, pictures: Sequence[Preview]) -> None:
    """Put a video's pictures in the place of those it had.

    Raises:
        MediaError: The dataset cannot be written (kind `storage`).
    """
    path = dataset.preview_path(video_id)
    try:
        if not pictures:
            if dataset.fs.exists(path):
                dataset.fs.rm_file(path)
            return
        dataset.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        if dataset.is_remote:
            dataset.fs.pipe_file(path, pack(pictures))
            return
        # A reader must never meet half a tar, and what a killed writer leaves the next one replaces.
        scratch = Path(f"{path}.tmp")
        scratch.write_bytes(pack(pictures))
        scratch.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise MediaError(ErrorKind.storage, f"preview pictures cannot be written: {reason}") from error


def read_previews(dataset: Dataset, video_id: str) -> Iterator[Preview]:
    """A video's pictures in the order of their names; none where it has none."""
    try:
        data = dataset.fs.cat_file(dataset.preview_path(video_id))
    except FileNotFoundError:
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def pack(pictures: Sequence[Preview]) -> bytes:
    """A tar of these pictures that depends on nothing but them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in pictures:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
