"""The decode-once stage's work: one pass over a video gives shots, clips, cheap scores and preview pictures.

Names are imported when they are first asked for: the decoder's child process imports this package too, and must not
pay for pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.scan.assemble import ScanOutcome
    from pipeline.scan.config import ScanConfig
    from pipeline.scan.frame_log import FrameLog
    from pipeline.scan.rules import ScanRules
    from pipeline.scan.scanner import VideoScanner

__all__ = ["FrameLog", "ScanConfig", "ScanOutcome", "ScanRules", "VideoScanner"]

_HOME = {
    "FrameLog": "pipeline.scan.frame_log",
    "ScanConfig": "pipeline.scan.config",
    "ScanOutcome": "pipeline.scan.assemble",
    "ScanRules": "pipeline.scan.rules",
    "VideoScanner": "pipeline.scan.scanner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
