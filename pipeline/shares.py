"""Shares of a dataset by its ids: ids are digests, so equal ranges of them hold about equally many rows."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Share:
    """The ids from `low` on and below `high`."""

    low: str = ""
    high: str | None = None
    """None for the last share."""

    def where(self, column: str) -> pc.Expression:
        """The condition on a column of ids, for Arrow."""
        above = pc.field(column) >= self.low
        return above if self.high is None else above & (pc.field(column) < self.high)


def shares(num_rows: int, rows_a_share: int) -> list[Share]:
    """As many shares as it takes for each to hold about `rows_a_share` of `num_rows` rows."""
    count = max(1, -(-num_rows // rows_a_share))
    bounds = [f"{0x10000 * k // count:04x}" for k in range(1, count)]
    return [Share(low, high) for low, high in zip(["", *bounds], [*bounds, None], strict=True)]
