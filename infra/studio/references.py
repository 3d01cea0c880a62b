"""Pictures and videos that people upload: kept under names of our own, decoded by the guarded reader alone."""

from __future__ import annotations

import json
import re
import secrets
from fractions import Fraction
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from infra.studio.form import Reference
from schemas import Config, ConfigError, Probe, file_digest
from trainer.sampling import Frames, Size
from trainer.sampling.reading import probe_media, read_media

MAX_UPLOAD_BYTES = 256 * 2**20
"""Of one upload."""
MAX_FOLDER_BYTES = 16 * 2**30
"""Of all uploads together."""
_ID = re.compile(r"[0-9a-f]{32}")
_PICTURE_PX = 960
"""Longest side of the picture that the page shows."""
_ONE_PICTURE = Fraction(1, 10**6)
"""Frames a second: of any video that there is, the first one."""


class _About(Config):
    """What is kept of an upload beside it."""

    sha256: str
    is_image: bool
    width: int
    height: int
    seconds: float | None


class References:
    """A folder of uploads; each is there once, however often it comes.

    Args:
        folder: Made where it is not there.
        max_seconds: Longer videos are refused.
        max_bytes: Of all of them together.

    Raises:
        ConfigError: The folder cannot be made or read.
    """

    def __init__(self, folder: Path, max_seconds: float, max_bytes: int = MAX_FOLDER_BYTES) -> None:
        self._folder, self._max_seconds, self._max_bytes = folder, max_seconds, max_bytes
        self._turn = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(".*.part"):
                left.unlink()
            self._num_bytes = sum(path.stat().st_size for path in folder.iterdir())
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be used: {error.strerror or error}") from error

    def scratch(self) -> Path:
        """Where the next upload is written while it comes."""
        return self._folder / f".{secrets.token_hex(8)}.part"

    def keep(self, scratch: Path) -> str:
        """Look at what has come; give its id.

        Args:
            scratch: From `scratch`; it is gone afterwards.

        Raises:
            ConfigError: It is no picture and no video, does not decode, or there is no room.
        """
        try:
            return self._kept(scratch)
        except OSError as error:
            raise ConfigError(f"the upload cannot be kept: {error.strerror or error}") from error
        finally:
            scratch.unlink(missing_ok=True)

    def _kept(self, scratch: Path) -> str:
        sha256 = file_digest(scratch)
        name = sha256[:32]
        with self._turn:
            if self.find(name) is not None:
                return name
            num_bytes = scratch.stat().st_size
            if self._num_bytes + num_bytes > self._max_bytes:
                raise ConfigError(f"there is no room for more than {self._max_bytes / 2**30:g} GiB of references")
            self._num_bytes += num_bytes
        try:
            probe = probe_media(scratch)
            self._check_length(probe)
            picture = as_jpeg(_first_picture(scratch, probe))
        except ConfigError as error:
            with self._turn:
                self._num_bytes -= num_bytes
            raise ConfigError(str(error).removeprefix(f"{scratch}: ")) from error
        seconds = None if probe.is_image else probe.duration_s
        about = _About(sha256=sha256, is_image=probe.is_image, width=probe.width, height=probe.height, seconds=seconds)
        self.picture(name).write_bytes(picture)
        scratch.replace(self._folder / name)
        # It counts once this is there.
        self._about(name).write_text(about.model_dump_json(), encoding="utf-8")
        return name

    def _check_length(self, probe: Probe) -> None:
        # Before all of it is decoded.
        if not probe.is_image and (probe.duration_s or 0) > self._max_seconds:
            raise ConfigError(
                f"the video has {probe.duration_s:.1f} s, and at most {self._max_seconds:g} (max_seconds) are taken"
            )

    def find(self, name: str) -> Reference | None:
        """What was uploaded; None where there is no such thing."""
        if _ID.fullmatch(name) is None:
            return None
        try:
            about = _About.model_validate(json.loads(self._about(name).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return None
        return Reference(self._folder / name, about.is_image, about.width, about.height, about.seconds)

    def picture(self, name: str) -> Path:
        """Where the first picture of one that there is lies, a JPEG."""
        return self._folder / f"{name}.jpg"

    def _about(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _first_picture(path: Path, probe: Probe) -> Frames:
    """The first picture, as displayed, no larger than the page needs, uint8 (H, W, 3)."""
    scale = min(1.0, _PICTURE_PX / max(probe.width, probe.height))
    size = Size(*(max(1, round(side * scale)) for side in (probe.width, probe.height)))
    picture: Frames = read_media(path, probe, size, _ONE_PICTURE, 1, "fit")[0]
    return picture


def as_jpeg(picture: Frames) -> bytes:
    """A picture as a JPEG.

    Args:
        picture: uint8 (H, W, 3), display RGB.
    """
    is_done, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert is_done
    return data.tobytes()
