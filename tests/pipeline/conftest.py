"""A stage that is quick to run and does, by the name of its input, whatever can go wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from schemas import ErrorKind, MediaError, Resources, Result, Row


@dataclass(frozen=True)
class Word:
    """An input that is nothing but its name."""

    input_id: str
    cost_s: float = 0.001

    def to_row(self) -> Row:
        return {"input_id": self.input_id}


class Shout:
    """Give each word's row; `raise`, `bad`, `forget` and `die` do as they say."""

    name = "shout"
    version = 1
    reads: Mapping[str, tuple[str, ...]] = {}
    writes = ("files",)
    batch_size = 4

    def __init__(self, cpus: float = 1.0) -> None:
        self.resources = Resources(cpus=cpus)

    def load(self, row: Row) -> Word:
        return Word(str(row["input_id"]))

    def failed(self, item: Word, error: MediaError) -> Result:
        row = {"uri": item.input_id, "outcome": "error", "error_kind": error.kind.value}
        return Result(item.input_id, {"files": [row]}, error=error)

    def setup(self) -> None: ...

    def close(self) -> None: ...

    def __call__(self, items: Sequence[Word]) -> Iterator[Result]:
        for item in items:
            match item.input_id:
                case "raise":
                    raise ZeroDivisionError("a bug")
                case "bad":
                    raise MediaError(ErrorKind.corrupt, "nothing decodes")
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "forget":
                    continue
                case word:
                    yield Result(word, {"files": [{"uri": word, "outcome": "ok"}]}, frames=1)


@pytest.fixture
def words() -> list[Word]:
    """Two hundred good words."""
    return [Word(f"w{k}") for k in range(200)]


@pytest.fixture
def word() -> type[Word]:
    return Word


@pytest.fixture
def shout() -> type[Shout]:
    return Shout
