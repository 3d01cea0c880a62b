"""Distributions: counted by DuckDB in bounded memory, drawn as SVG without a script or a style attribute."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
from markupsafe import Markup, escape

from infra.inspect.text import count, number

_BINS = 48
_WIDTH, _HEIGHT, _TOP, _BOTTOM = 400, 140, 18, 22
"""Units of the drawing; it is scaled to its place on the page."""
_ZERO_PLACE, _ZERO_BAR = 40, 18
"""Units kept on the left of a logarithmic axis for values of exactly 0, and the width of their bar."""
_MAX_BAR = 60.0
_SKEW = 4.0
"""Values are skewed whose right half (median to 99 %) is N times as long as the left (1 % to median)."""
_LOG_RANGE = 50.0
"""Largest over smallest positive value below which a logarithmic axis shows nothing more."""
_LOG_FLOOR = 1e-6
"""The smallest value told apart on a logarithmic axis, as a part of the largest."""
_TALL = 30
"""A bar so many times as tall as the next would hide the others; then heights are logarithms of counts."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the values of one column are spread."""

    num_rows: int
    num_values: int
    """Finite values."""
    num_null: int
    quantiles: tuple[float, ...]
    """The 0th to the 100th percentile; empty without a value."""
    is_log: bool
    num_zeros: int
    """Values of exactly 0, which have no place on a logarithmic axis and are drawn apart; else 0."""
    edges: tuple[float, ...]
    """One more than there are bins, rising."""
    counts: tuple[int, ...]

    @property
    def minimum(self) -> float | None:
        """The smallest value."""
        return self.quantiles[0] if self.quantiles else None

    @property
    def median(self) -> float | None:
        """The middle value."""
        return self.quantiles[50] if self.quantiles else None

    @property
    def maximum(self) -> float | None:
        """The largest value."""
        return self.quantiles[-1] if self.quantiles else None

    def rank(self, value: float) -> float:
        """The part of the values below this one, 0 to 1, equal ones counted half."""
        if not self.quantiles:
            return 0.5
        below = bisect_left(self.quantiles, value) + bisect_right(self.quantiles, value)
        return below / 2 / len(self.quantiles)


def measure(db: duckdb.DuckDBPyConnection, expression: str, source: str, *, bins: int = _BINS) -> Distribution:
    """Count the values of a column.

    Args:
        db: From `infra.inspect.sql.open_views`.
        expression: Ours, in SQL; a number for each row of `source`.
        source: Ours, what stands behind FROM.
        bins: At most so many; whole numbers over a shorter range get one each.
    """
    values = f"(SELECT ({expression})::DOUBLE AS x FROM {source})"
    found = db.execute(
        f"""SELECT count(*), count(x), count(x) FILTER (isfinite(x)),
            quantile_cont(x, {[k / 100 for k in range(101)]}) FILTER (isfinite(x)),
            min(x) FILTER (x > 0 AND isfinite(x)), count(x) FILTER (x = 0),
            bool_and(x = floor(x)) FILTER (isfinite(x))
        FROM {values}"""
    ).fetchall()
    num_rows, num_known, num_values, quantiles, smallest, num_zeros, is_whole = found[0]
    if not num_values:
        return Distribution(num_rows, 0, num_rows - num_known, (), False, 0, (), ())
    low, high = quantiles[0], quantiles[-1]
    is_log = low >= 0 and smallest is not None and _is_skewed(quantiles, smallest)
    if is_log:
        low = max(smallest, high * _LOG_FLOOR)
        place = f"floor(ln(greatest(x, {low!r}) / {low!r}) / {math.log(high / low)!r} * {bins})"
    elif low == high:
        bins, place = 1, "0"
    else:
        if is_whole and high - low < bins:
            bins = int(high - low) + 1
            low, high = low - 0.5, high + 0.5
        # Divided before it is subtracted, so that no range overflows.
        place = f"floor((x / {bins} - {low / bins!r}) / {high / bins - low / bins!r} * {bins})"
    counted = db.execute(
        f"""SELECT least(greatest({place}, 0), {bins - 1})::INTEGER AS bin, count(*) FROM {values}
        WHERE isfinite(x) {"AND x <> 0" if is_log else ""} GROUP BY bin"""
    ).fetchall()
    counts = [0] * bins
    for place_index, number_of in counted:
        counts[place_index] = number_of
    steps = [k / bins for k in range(bins + 1)]
    edges = [low * (high / low) ** step if is_log else low * (1 - step) + high * step for step in steps]
    return Distribution(
        num_rows,
        num_values,
        num_rows - num_known,
        tuple(quantiles),
        is_log,
        num_zeros if is_log else 0,
        tuple(edges),
        tuple(counts),
    )


def _is_skewed(quantiles: Sequence[float], smallest: float) -> bool:
    left, right = quantiles[50] - quantiles[1], quantiles[99] - quantiles[50]
    return right > _SKEW * left and quantiles[-1] / max(smallest, quantiles[-1] * _LOG_FLOOR) >= _LOG_RANGE


def draw(shown: Distribution, label: str, unit: str = "clips") -> Markup:
    """The histogram as an SVG element.

    Args:
        shown: What to draw.
        label: What is counted along the axis, for those who hear the page.
        unit: What is counted.
    """
    if not shown.counts:
        return Markup('<p class="none">no values</p>')
    ends = f"from {number(shown.minimum)} to {number(shown.maximum)}"
    summary = f"{label}: {count(shown.num_values)} values {ends}"
    parts = [
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(summary)}">',
        *_bars(shown, unit),
        f'<line class="axis" x1="0" y1="{_HEIGHT - _BOTTOM}" x2="{_WIDTH}" y2="{_HEIGHT - _BOTTOM}"/>',
        *_ticks(shown),
        *_median(shown),
        "</svg>",
    ]
    return Markup("".join(parts))  # noqa: S704 - numbers of ours, and texts escaped above


def axis(shown: Distribution) -> dict[str, float | bool] | None:
    """Where a value lies on the drawing, for a script: what `_x` computes with; None without a drawing."""
    if not shown.counts:
        return None
    return {
        "low": shown.edges[0],
        "high": shown.edges[-1],
        "left": _left(shown),
        "zero": _ZERO_BAR / 2,
        "is_log": shown.is_log,
        "width": _WIDTH,
        "top": 2,
        "base": _HEIGHT - _BOTTOM,
    }


def has_log_heights(shown: Distribution) -> bool:
    """Whether the bars' heights are logarithms of the counts."""
    counts = sorted([*shown.counts, shown.num_zeros], reverse=True)
    return len(counts) > 2 and counts[1] > 0 and counts[0] > _TALL * counts[1]


def _bars(shown: Distribution, unit: str) -> Iterable[str]:
    left, height = _left(shown), _HEIGHT - _TOP - _BOTTOM
    base, is_log = _HEIGHT - _BOTTOM, has_log_heights(shown)
    tallest = max([*shown.counts, shown.num_zeros])
    step = (_WIDTH - left) / len(shown.counts)
    width = min(step, _MAX_BAR)
    bars = [
        (
            left + k * step + (step - width) / 2,
            width,
            value,
            f"{number(shown.edges[k])} to {number(shown.edges[k + 1])}",
        )
        for k, value in enumerate(shown.counts)
    ]
    if shown.num_zeros:
        bars.append((0, _ZERO_BAR, shown.num_zeros, "exactly 0"))
    for x, width, value, where in bars:
        if value:
            part = math.log1p(value) / math.log1p(tallest) if is_log else value / tallest
            tall = max(part * height, 1.0)
            yield (
                f'<rect class="bar" x="{x:.1f}" y="{base - tall:.1f}" '
                f'width="{max(width - 1, 0.5):.1f}" height="{tall:.1f}">'
                f"<title>{where}: {count(value)} {escape(unit)}</title></rect>"
            )


def _ticks(shown: Distribution) -> Iterable[str]:
    base, text = _HEIGHT - _BOTTOM, f'<text class="tick" y="{_HEIGHT - 6}"'
    if shown.num_zeros:
        yield f'{text} x="{_ZERO_BAR / 2}" text-anchor="middle">0</text>'
    values = _powers(shown.edges) if shown.is_log else _steps(shown)
    for value in values:
        x = _x(shown, value)
        anchor = "start" if x < 14 else "end" if x > _WIDTH - 14 else "middle"
        yield f'<line class="axis" x1="{x:.1f}" y1="{base}" x2="{x:.1f}" y2="{base + 4}"/>'
        yield f'{text} x="{x:.1f}" text-anchor="{anchor}">{number(value)}</text>'


def _median(shown: Distribution) -> Iterable[str]:
    assert shown.median is not None
    x = _x(shown, shown.median)
    anchor, shift = ("start", 4) if x < _WIDTH / 2 else ("end", -4)
    label = f"median {number(shown.median)}"
    yield f'<line class="median" x1="{x:.1f}" y1="2" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}"/>'
    yield f'<text class="median" x="{x + shift:.1f}" y="11" text-anchor="{anchor}">{label}</text>'


def _left(shown: Distribution) -> float:
    return _ZERO_PLACE if shown.num_zeros else 0.0


def _x(shown: Distribution, value: float) -> float:
    """Where a value lies on the drawing."""
    low, high, left = shown.edges[0], shown.edges[-1], _left(shown)
    if shown.is_log:
        if value <= 0:
            return _ZERO_BAR / 2
        part = math.log(max(value, low) / low) / math.log(high / low)
    else:
        part = 0.5 if high == low else (value / 2 - low / 2) / (high / 2 - low / 2)
    return left + min(max(part, 0.0), 1.0) * (_WIDTH - left)


def _steps(shown: Distribution) -> list[float]:
    """Round values between both ends, about five of them; whole ones where each bin is a whole number."""
    low, high = shown.edges[0], shown.edges[-1]
    if low == high or not math.isfinite(high - low):
        return [low]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(some * power for some in (1, 2, 5, 10) if some * power >= rough * 0.999)
    if high - low == len(shown.counts):
        step = max(step, 1.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _powers(edges: Sequence[float]) -> list[float]:
    """Powers of ten on a logarithmic axis, at most seven; both ends where there are fewer than two."""
    low, high = edges[0], edges[-1]
    exponents = list(range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1))
    powers = [10.0**k for k in exponents[:: max(1, math.ceil(len(exponents) / 7))]]
    return powers if len(powers) > 1 else [low, high]
