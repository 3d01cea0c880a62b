"""What crosses a process or a component boundary: records, tables, ids, shapes, configs, errors.

Names are imported when they are first asked for: the decoder's child process uses records of this package too, and must
not pay for pydantic and pyarrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schemas.clip import Clip, Shot, Transition
    from schemas.config import Config, load_config
    from schemas.errors import TRANSIENT, ConfigError, ErrorKind, MediaError, RushesError
    from schemas.ids import clip_id, content_id, digest, file_digest
    from schemas.scan_scores import ScanScores
    from schemas.shape import LatentShape, PixelShape
    from schemas.span import Span
    from schemas.stage import Input, Resources, Result, Row, Stage
    from schemas.tables import FORMAT_VERSION, TABLES, VOLATILE_COLUMNS, Table
    from schemas.video import Probe

__all__ = [
    "FORMAT_VERSION",
    "TABLES",
    "TRANSIENT",
    "VOLATILE_COLUMNS",
    "Clip",
    "Config",
    "ConfigError",
    "ErrorKind",
    "Input",
    "LatentShape",
    "MediaError",
    "PixelShape",
    "Probe",
    "Resources",
    "Result",
    "Row",
    "RushesError",
    "ScanScores",
    "Shot",
    "Span",
    "Stage",
    "Table",
    "Transition",
    "clip_id",
    "content_id",
    "digest",
    "file_digest",
    "load_config",
]

_HOME = {
    "clip": ("Clip", "Shot", "Transition"),
    "config": ("Config", "load_config"),
    "errors": ("TRANSIENT", "ConfigError", "ErrorKind", "MediaError", "RushesError"),
    "ids": ("clip_id", "content_id", "digest", "file_digest"),
    "scan_scores": ("ScanScores",),
    "shape": ("LatentShape", "PixelShape"),
    "span": ("Span",),
    "stage": ("Input", "Resources", "Result", "Row", "Stage"),
    "tables": ("FORMAT_VERSION", "TABLES", "VOLATILE_COLUMNS", "Table"),
    "video": ("Probe",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"schemas.{_MODULE_OF[name]}"), name)
