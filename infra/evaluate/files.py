"""Videos on a disk that are judged, each with its prompt beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from infra.evaluate.films import Frames
from schemas import ConfigError
from trainer.sampling import Size
from trainer.sampling.reading import probe_media, read_media

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")
MAX_FRAMES = 1500
MAX_SHORT_SIDE = 360
"""Larger videos are read at this size, in pixels: the judge looks at fewer."""
MAX_PROMPT_BYTES = 100_000


def find_videos(folder: Path) -> list[tuple[Path, str]]:
    """The videos of a folder with their prompts: `NAME.txt`, or `prompt` in `NAME.json`, beside each.

    Raises:
        ConfigError: There is no video, or one has no prompt.
    """
    if not folder.is_dir():
        raise ConfigError(f"command line: --videos: there is no folder {folder}")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ConfigError(f"{folder}: holds no video ({', '.join(SUFFIXES)})")
    return [(path, _prompt(path)) for path in paths]


def _prompt(path: Path) -> str:
    for beside, text in _sidecars(path):
        if len(text.encode()) > MAX_PROMPT_BYTES:
            raise ConfigError(f"{beside}: is longer than a prompt can be, {MAX_PROMPT_BYTES:,} bytes")
        if beside.suffix == ".txt":
            return text.strip()
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{beside}: is not JSON: {str(error)[:200]}") from error
        if not isinstance(found, dict) or not isinstance(found.get("prompt"), str):
            raise ConfigError(f"{beside}: has no text under 'prompt'")
        return str(found["prompt"])
    raise ConfigError(f"{path}: has no prompt: there is no {path.stem}.txt and no {path.stem}.json beside it")


def _sidecars(path: Path) -> Iterator[tuple[Path, str]]:
    for suffix in (".txt", ".json"):
        beside = path.with_suffix(suffix)
        if beside.is_file():
            try:
                yield beside, beside.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{beside}: cannot be read: {error}") from error


def read_video(path: Path, rate: float | None = None) -> tuple[Frames, float]:
    """The frames of a file, uint8 (F, H, W, 3), and their rate; at its own size up to `MAX_SHORT_SIDE`.

    Args:
        path: A video.
        rate: Frames a second; the file's own without it.

    Raises:
        ConfigError: It cannot be decoded, is a picture, or is longer than `MAX_FRAMES`.
    """
    probe = probe_media(path)
    if probe.is_image:
        raise ConfigError(f"{path}: is a picture, and motion is judged")
    own = Fraction(rate).limit_denominator(1001) if rate else probe.frame_rate
    if not own:
        raise ConfigError(f"{path}: does not say how many frames it has a second")
    scale = min(1.0, MAX_SHORT_SIDE / min(probe.width, probe.height))
    size = Size(max(1, round(probe.width * scale)), max(1, round(probe.height * scale)))
    frames = read_media(path, probe, size, Fraction(own), MAX_FRAMES, "crop")
    return frames, float(own)
