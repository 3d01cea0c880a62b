"""What a page carries beside its HTML: its script, its style, its data, and the policy that allows nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from infra.web.policy import content_policy, page_file, script_of

_SHARED = ("dom.js", "ask.js")
SCRIPTS = (
    "data.js",
    "predicate.js",
    "selection.js",
    "axis.js",
    "histogram.js",
    "effect.js",
    "strips.js",
    "story.js",
    "search.js",
    "live.js",
    "review.js",
    "main.js",
)
"""In the order in which they are joined to one script; each uses those before it."""


@dataclass(frozen=True, slots=True)
class Live:
    """What a page needs to talk to the server that shows it."""

    token: str
    """Sent with every change; new for each process."""
    reviewer: str
    """In whose name labels are written."""


@cache
def script() -> str:
    """Our own script, all files in one function's scope."""
    parts = [page_file("infra.web", name) for name in _SHARED]
    return script_of(parts + [page_file("infra.inspect", name) for name in SCRIPTS])


@cache
def style() -> str:
    """Our own style."""
    report = resources.files("infra.inspect").joinpath("report.css").read_text("utf-8")
    return page_file("infra.web", "base.css") + report + page_file("infra.inspect", "page.css")


def policy(*, is_live: bool) -> str:
    """The content security policy: our script, our style, pictures of ours."""
    if is_live:
        return content_policy(script(), style(), img="'self' data:", connect="'self'")
    return content_policy(script(), style(), img="data:")
