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

MAX_PICTURE_BYTES = 16 * 2**20
"""A picture of 2048 px at the best quality has some 4 MB; what is larger was not written by us."""


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
    """A video's pictures in the order of the tar; none where it has none.

    One picture is in memory at a time. Whoever can write to the dataset's folder decides what is in the tar: only plain
    files of at most `MAX_PICTURE_BYTES` are given, and nothing is unpacked, followed or decompressed.

    Raises:
        OSError: The tar cannot be read, or what its store raises instead (`transfer_errors`).
        tarfile.TarError: It is no tar, or a damaged one.
    """
    try:
        with (
            dataset.fs.open(dataset.preview_path(video_id), "rb") as file,
            tarfile.open(fileobj=file, mode="r:") as tar,
        ):
            for member in tar:
                # A sparse file says any size that it likes.
                if member.isreg() and not member.issparse() and member.size <= MAX_PICTURE_BYTES:
                    picture = tar.extractfile(member)
                    assert picture is not None
                    yield member.name, picture.read()
    except FileNotFoundError:
        return
    except (ValueError, OverflowError, RecursionError) as error:
        # What `tarfile` raises for headers made to mislead it: numbers that are none, extensions of extensions.
        raise tarfile.ReadError(f"a header is damaged: {error}") from error


def pack(pictures: Sequence[Preview]) -> bytes:
    """A tar of these pictures that depends on nothing but them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in pictures:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
