"""Many captions become one, level by level, so that each request fits into a model's context."""

from __future__ import annotations

from collections.abc import Sequence


def windows(texts: Sequence[str], max_bytes: int) -> list[list[str]]:
    """Consecutive texts in as few groups as fit; a text that fills more than half a group is cut.

    Every group but the last holds at least two, so that there are always fewer groups than texts, if there are two.

    Args:
        texts: In order.
        max_bytes: Of a group's texts in UTF-8, each with a line's end.
    """
    groups: list[list[str]] = []
    size = 0
    for text in texts:
        line = cut(text, max_bytes // 2 - 1)
        length = len(line.encode()) + 1
        if not groups or size + length > max_bytes:
            groups.append([])
            size = 0
        groups[-1].append(line)
        size += length
    return groups


def cut(text: str, max_bytes: int) -> str:
    """The beginning of a text that fits, up to the end of a word where there is one."""
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    kept = data[:max_bytes].decode(errors="ignore")
    return kept.rpartition(" ")[0] or kept


class Merging:
    """One video's captions on their way to one: which groups are to be merged now, and what has come of them.

    Args:
        texts: The captions, in order of time; at least one.
        max_bytes: Of the texts of one request.
    """

    def __init__(self, texts: Sequence[str], max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._texts = list(texts)
        self._groups: list[list[str]] = []
        self._merged: list[str | None] = []
        self.level = 0
        """How often all was merged already."""

    @property
    def text(self) -> str | None:
        """What has become of all; None as long as there is more than one."""
        return self._texts[0] if len(self._texts) == 1 else None

    def next_groups(self) -> dict[int, list[str]]:
        """The groups to merge now, by their places; a text that is left alone at the end waits for the next level."""
        self._groups = windows(self._texts, self._max_bytes)
        self._merged = [group[0] if len(group) == 1 else None for group in self._groups]
        return {place: group for place, group in enumerate(self._groups) if len(group) > 1}

    def put(self, place: int, text: str) -> bool:
        """Take what one group has become; whether that was the last of its level."""
        assert self._merged[place] is None, f"group {place} of level {self.level} is merged twice"
        self._merged[place] = text
        done = [merged for merged in self._merged if merged is not None]
        if len(done) < len(self._merged):
            return False
        self._texts = done
        self.level += 1
        return True
