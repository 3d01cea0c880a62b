"""Looking at a dataset: SQL over its tables, the funnel, one clip's story, the report page (`report.py`)."""

from __future__ import annotations

from infra.inspect.clip_story import ClipStory, story_text, tell
from infra.inspect.funnel import Loss, Step, funnel, funnel_json, funnel_text
from infra.inspect.report import write_report
from infra.inspect.sql import Answer, open_views, view_names

__all__ = [
    "Answer",
    "ClipStory",
    "Loss",
    "Step",
    "funnel",
    "funnel_json",
    "funnel_text",
    "open_views",
    "story_text",
    "tell",
    "view_names",
    "write_report",
]
