"""The page in one piece: what of the config a form needs, our own script and style, and nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from infra.inspect.text import visible
from infra.sample_config import SampleConfig
from infra.studio.form import MAX_RESULTS, MAX_SHOTS
from infra.studio.references import MAX_UPLOAD_BYTES
from infra.web.policy import content_policy, embedded, inlined, page_file, script_of
from trainer.sampling import ModelSource

_SHARED = ("dom.js", "ask.js")
SCRIPTS = (
    "about.js",
    "wording.js",
    "shots.js",
    "reference.js",
    "region.js",
    "form.js",
    "line.js",
    "results.js",
    "compare.js",
    "main.js",
)
"""In the order in which they are joined to one script; each uses those before it."""


@cache
def script() -> str:
    """Our own script."""
    parts = [page_file("infra.web", name) for name in _SHARED]
    return script_of(parts + [page_file("infra.studio", name) for name in SCRIPTS])


@cache
def style() -> str:
    """Our own style."""
    return page_file("infra.web", "base.css") + page_file("infra.studio", "studio.css")


def render(config: SampleConfig, source: ModelSource, token: str, *, num_unread: int) -> tuple[str, str]:
    """The page and its content security policy.

    Args:
        config: How the model is asked.
        source: The model.
        token: Of this process.
        num_unread: Records of earlier results that cannot be read.
    """
    page = resources.files("infra.studio").joinpath("page", "studio.html.j2").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    folder = Path(config.model).expanduser().resolve()
    html = environment.from_string(page).render(
        name=visible(folder.name),
        about=f"step {source.step:,} · {config.solver.kind}, {config.solver.steps} steps · guidance "
        f"{config.guidance.text:g} · {config.frame_rate:g} frames a second",
        num_unread=num_unread,
        can_expand=config.expand.model is not None,
        data=embedded(_about(config, token)),
        script=inlined(script()),
        css=inlined(style()),
    )
    policy = content_policy(script(), style(), img="'self'", media="'self'", connect="'self'")
    return html, f"{policy}; frame-ancestors 'none'"


def _about(config: SampleConfig, token: str) -> dict[str, Any]:
    """What the page's script must know."""
    names = ("size", "seconds", "max_seconds", "min_side", "max_side", "strength", "fit")
    values = {name: getattr(config, name) for name in names}
    limits = {"max_results": MAX_RESULTS, "max_shots": MAX_SHOTS, "max_upload_bytes": MAX_UPLOAD_BYTES}
    return {**values, **limits, "token": token}
