"""Which texts go through an encoder together: those of similar length, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def by_length(lengths: Sequence[int], batch: int) -> Iterator[list[int]]:
    """Places of texts in batches, the longest first; those without any token are left out.

    Args:
        lengths: Tokens of each text.
        batch: Texts at once.
    """
    places = sorted((place for place, length in enumerate(lengths) if length), key=lambda place: -lengths[place])
    for start in range(0, len(places), batch):
        yield places[start : start + batch]
