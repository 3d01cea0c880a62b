"""The plots of experiments, as SVG that stays the same for the same numbers."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from infra.experiment.means import Mean, PowerLaw
from schemas import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAR = 0.36
_COLORS = ("#2f6fb3", "#d98032", "#4b9b62", "#8a5aa8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Means of several models, aspect by aspect."""

    groups: Sequence[str]
    series: Mapping[str, Sequence[Mean]]
    """For each kind of model one mean a group."""
    ceilings: Sequence[float]
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Loss and scores over compute."""

    x: Sequence[int]
    """Multiples of the base."""
    loss: Sequence[Mean]
    law: PowerLaw | None
    """Through the losses of all seeds."""
    scores: Mapping[str, Sequence[Mean]]
    title: str


def draw_bars(bars: Bars) -> bytes:
    """An SVG: bars with error bars, and a line where rendered footage stands."""
    with _figure(bars.title, 1, (7.0, 3.4)) as (figure, (axes,)):
        places = range(len(bars.groups))
        for index, (name, means) in enumerate(bars.series.items()):
            shift = (index - (len(bars.series) - 1) / 2) * _BAR
            axes.bar(
                [place + shift for place in places],
                [mean.value for mean in means],
                _BAR,
                yerr=_errors(means),
                capsize=3,
                label=name,
                color=_COLORS[index % len(_COLORS)],
            )
        for place, ceiling in zip(places, bars.ceilings, strict=True):
            label = "rendered footage" if place == 0 else None
            axes.hlines(ceiling, place - 0.45, place + 0.45, colors="#444", linestyles="dashed", label=label)
        axes.set_xticks(list(places), bars.groups)
        axes.set_ylim(0, 1.05)
        axes.set_ylabel("share of videos")
        axes.legend(frameon=False)
        return _svg(figure)


def draw_curves(curves: Curves) -> bytes:
    """An SVG: the loss with its fitted line on logarithmic axes, the scores beside it."""
    with _figure(curves.title, 2, (9.0, 3.6)) as (figure, (left, right)):
        left.errorbar(
            curves.x,
            [mean.value for mean in curves.loss],
            yerr=_errors(curves.loss),
            fmt="o",
            capsize=3,
            color=_COLORS[0],
        )
        if curves.law is not None:
            label = f"{curves.law.scale:.3f} x^{curves.law.exponent:.3f}"
            left.plot(curves.x, [curves.law.at(x) for x in curves.x], "--", color=_COLORS[1], label=label)
            left.legend(frameon=False)
        left.set_yscale("log")
        left.set_ylabel("held-out loss")
        for index, (name, means) in enumerate(curves.scores.items()):
            values = [mean.value for mean in means]
            right.errorbar(curves.x, values, yerr=_errors(means), fmt="o-", capsize=3, label=name, color=_COLORS[index])
        right.set_ylim(0, 1.05)
        right.set_ylabel("share of videos")
        right.legend(frameon=False)
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xticks(curves.x, [f"{x}x" for x in curves.x])
            axes.minorticks_off()
            axes.set_xlabel("compute")
        return _svg(figure)


def _errors(means: Sequence[Mean]) -> list[float]:
    return [0.0 if math.isnan(mean.error) else mean.error for mean in means]


@contextmanager
def _figure(title: str, columns: int, inches: tuple[float, float]) -> Iterator[tuple[Figure, Sequence[Any]]]:
    """A figure in our style, and its axes.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("plots need the package matplotlib: install rushes[trainer]") from error
    # Without the salt the names inside a file would be drawn anew each time.
    style = {"svg.hashsalt": "rushes", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(cast(Any, style)):
        figure = Figure(figsize=inches, layout="constrained")
        figure.suptitle(title, fontsize=10)
        yield figure, figure.subplots(1, columns, squeeze=False)[0]


def _svg(figure: Figure) -> bytes:
    held = io.BytesIO()
    # Without a date: the same numbers give the same file.
    figure.savefig(held, format="svg", metadata={"Date": None})
    return held.getvalue()
