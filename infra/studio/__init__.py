"""`rushes sample --serve`: a page on which people ask for videos and pictures, and see what became of it."""

from __future__ import annotations

from infra.studio.app import make_app, serve

__all__ = ["make_app", "serve"]
