"""What a page carries beside its HTML: its script, its style, its data, and the policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup

SCRIPTS = (
    "dom.js",
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
_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


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
    folder = resources.files("infra.inspect").joinpath("page")
    parts = [folder.joinpath(name).read_text("utf-8") for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


@cache
def style() -> str:
    """Our own style."""
    folder = resources.files("infra.inspect")
    return folder.joinpath("report.css").read_text("utf-8") + folder.joinpath("page", "page.css").read_text("utf-8")


def policy(*, is_live: bool) -> str:
    """The content security policy: this script, this style, pictures of ours, and no way to make HTML from text."""
    rules = [
        "default-src 'none'",
        "img-src 'self' data:" if is_live else "img-src data:",
        f"style-src 'sha256-{_hash(style())}'",
        f"script-src 'sha256-{_hash(script())}'",
        *(["connect-src 'self'"] if is_live else []),
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    return "; ".join(rules)


def embedded(data: Any) -> Markup:
    """Data as JSON that can stand inside a `<script>` element: nothing in it can end the element.

    Raises:
        ValueError: There is a number in it that JSON has not.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_UNSAFE))  # noqa: S704 - no character of it can begin or end markup


def inlined(text: str) -> Markup:
    """Our own script or style, as it is."""
    assert "</" not in text
    return Markup(text)  # noqa: S704 - our own file


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
