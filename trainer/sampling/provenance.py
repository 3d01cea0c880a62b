"""What every output says of itself: that it was made by AI, by which model, from what.

The record is one JSON object, in an MP4 its `comment`, in a PNG an `iTXt` chunk, where any reader of metadata sees it,
and once more in the C2PA manifest, which is signed. The first alone tells an honest reader what a file is, and proves
nothing against somebody who writes it or takes it away.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas import ConfigError
from trainer.sampling.reading import media_metadata

FORMAT = "rushes-provenance"
VERSION = 1
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""The IPTC's word for media made by a trained model. Source: IPTC NewsCodes, `digitalsourcetype`."""
COMPOSITE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""The same for media of which a trained model made a part."""
AI_TYPES = frozenset({SOURCE_TYPE, COMPOSITE_TYPE})
ASSERTION = "rushes.record"
"""The label of the record in a C2PA manifest."""
_SHOWN = ("model_digest", "prompt", "seed", "mode")
"""What readers of manifests that know nothing of us show."""
KEY = "comment"
"""Of an MP4's metadata, and the keyword of the PNG chunk."""
_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_BYTES = 1 << 20
_MAX_CHUNKS = 4096


def record_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """The record of an output.

    Args:
        about: What it was made by and from; JSON values.
    """
    head = {"format": FORMAT, "version": VERSION, "made_by_ai": True, "statement": "made by AI"}
    return {**head, "digital_source_type": SOURCE_TYPE, "generator": "rushes", **about}


def text_of(record: Mapping[str, Any]) -> str:
    """A record as it is written: one line of ASCII."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"))


def assertion_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a C2PA manifest holds it.

    The whole of it is text: the library makes bytes of every list of small numbers.
    """
    shown = {key: record[key] for key in _SHOWN if isinstance(record.get(key), (str, int))}
    return {**shown, "record": text_of(record)}


def asserted(data: object) -> dict[str, Any] | None:
    """The inverse of `assertion_of`, of data that may be anything; None where it is no record that we can read."""
    text = data.get("record") if isinstance(data, dict) else None
    record = _parsed(text) if isinstance(text, str) else None
    return record if record is not None and record.get("version") == VERSION else None


def read_record(path: Path) -> dict[str, Any]:
    """The record in a file's metadata; the file is taken for hostile.

    Args:
        path: An MP4, a PNG, or anything else.

    Raises:
        ConfigError: It cannot be read, or says nothing of where it comes from.
    """
    record = find_record(path)
    if record is None:
        raise ConfigError(
            f"{path}: says nothing of where it comes from: rushes did not make it, or the record was removed"
        )
    return record


def find_record(path: Path) -> dict[str, Any] | None:
    """The record in a file's metadata, as `read_record`; None without one.

    Raises:
        ConfigError: The file cannot be read, or the record is of another version.
    """
    try:
        with path.open("rb") as file:
            is_png = file.read(len(_PNG)) == _PNG
        text = _png_text(path) if is_png else _container_text(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    record = _parsed(text)
    if record is None:
        return None
    if record.get("version") != VERSION:
        raise ConfigError(f"{path}: its record is of version {record.get('version')!r}, and we read {VERSION}")
    return record


def _parsed(text: str) -> dict[str, Any] | None:
    """A record of any version; None where the text is none."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def _container_text(path: Path) -> str:
    said = media_metadata(path).get(KEY, "")
    return said if isinstance(said, str) and len(said) <= _MAX_BYTES else ""


def png_chunk(text: str) -> bytes:
    """An uncompressed `iTXt` chunk. Source: PNG specification, third edition, 11.3.3.4."""
    data = KEY.encode() + b"\0\0\0\0\0" + text.encode()
    body = b"iTXt" + data
    return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def with_png_text(png: bytes, text: str) -> bytes:
    """A PNG with the chunk behind its header."""
    end = len(_PNG) + 12 + int.from_bytes(png[len(_PNG) : len(_PNG) + 4], "big")
    return png[:end] + png_chunk(text) + png[end:]


def _png_text(path: Path) -> str:
    """The text of the first such chunk; empty without one."""
    with path.open("rb") as file:
        file.seek(len(_PNG))
        for _ in range(_MAX_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IEND":
                return ""
            length = int.from_bytes(head[:4], "big")
            if head[4:] != b"iTXt" or length > _MAX_BYTES:
                file.seek(length + 4, 1)
                continue
            data = file.read(length)
            mark = KEY.encode() + b"\0\0\0\0\0"
            if data.startswith(mark):
                return data[len(mark) :].decode("utf-8", "replace")
            file.seek(4, 1)
    return ""
