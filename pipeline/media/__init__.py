"""The guarded decoder: hostile video is opened, read and decoded in a child process that can be killed.

This package itself imports no FFmpeg: `limits`, `guard` and `wire` are for the parent, the other modules
for the child that `service` runs.
"""

from __future__ import annotations

from pipeline.media.guard import DecoderChild, opened
from pipeline.media.limits import MediaLimits
from pipeline.media.wire import Reply

__all__ = ["DecoderChild", "MediaLimits", "Reply", "opened"]
