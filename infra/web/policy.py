"""A page in one piece: its script, its style, its data, and the policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup

_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def page_file(package: str, name: str) -> str:
    """The text of a file in a package's folder `page`."""
    return resources.files(package).joinpath("page", name).read_text("utf-8")


def script_of(parts: Sequence[str]) -> str:
    """Scripts as one, in one function's scope; each uses those before it."""
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def content_policy(script: str, style: str, **sources: str) -> str:
    """The content security policy: this script, this style, and no way to make HTML from text.

    Args:
        script: The page's own.
        style: The page's own.
        sources: From where else something may come, as `img="'self'"` or `connect="'self'"`.
    """
    rules = [
        "default-src 'none'",
        *(f"{name}-src {source}" for name, source in sources.items()),
        f"style-src 'sha256-{_hash(style)}'",
        f"script-src 'sha256-{_hash(script)}'",
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
