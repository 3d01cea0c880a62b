"""What crosses a process or a component boundary: records, tables, ids, shapes, configs, errors."""

from __future__ import annotations

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
