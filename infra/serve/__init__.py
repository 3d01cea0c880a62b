"""`rushes inspect --serve`: the page with live data, and reviewers' labels."""

from __future__ import annotations

from infra.serve.app import make_app, serve

__all__ = ["make_app", "serve"]
