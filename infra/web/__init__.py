"""What the pages that the `rushes` command serves have in common: who may ask, what a page may do, how it is served."""

from __future__ import annotations

from infra.web.guard import TOKEN_HEADER, guard
from infra.web.policy import content_policy, embedded, inlined, page_file, script_of
from infra.web.server import guarded_app, in_thread, listen, read_json

__all__ = [
    "TOKEN_HEADER",
    "content_policy",
    "embedded",
    "guard",
    "guarded_app",
    "in_thread",
    "inlined",
    "listen",
    "page_file",
    "read_json",
    "script_of",
]
