"""The contract between a stage and whatever runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from schemas.errors import MediaError

Row = Mapping[str, object]
"""One row of a table, column by column."""

In = TypeVar("In", bound="Input")


@dataclass(frozen=True, slots=True)
class Resources:
    """What one worker of a stage occupies."""

    cpus: float = 1.0
    gpus: float = 0.0


class Input(Protocol):
    """One unit of work: small, picklable, ids and paths only."""

    @property
    def input_id(self) -> str:
        """What the ledger calls it."""

    @property
    def cost_s(self) -> float:
        """Roughly how long one core is occupied with it, in seconds: long inputs are begun first."""

    def to_row(self) -> Row:
        """Its values as strings, numbers and None, for the way to a worker."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one input: its rows, or the reason why there are none."""

    input_id: str
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """Rows by table; empty where the input gave none."""
    error: MediaError | None = None
    busy_s: float = 0.0
    """How long a worker was occupied, in seconds."""
    frames: int = 0
    """How many frames were decoded."""


class Stage(Protocol[In]):
    """A step of the DAG. Exactly one `Result` for each input, in any order.

    An executor copies the stage to its workers, calls `setup` once in each, calls it on batches, and
    `close` at the end. A bad input becomes a `Result` with an error; what it raises is our bug.
    """

    @property
    def name(self) -> str:
        """The stage's name in configs, plans and the ledger."""

    @property
    def version(self) -> int:
        """Raised by hand when the same input gives other rows than before."""

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Columns it needs, by table."""

    @property
    def writes(self) -> tuple[str, ...]:
        """Tables it fills."""

    @property
    def resources(self) -> Resources:
        """What one worker occupies."""

    @property
    def batch_size(self) -> int:
        """How many inputs it likes at once."""

    def load(self, row: Row) -> In:
        """The input that `to_row` gave."""

    def failed(self, item: In, error: MediaError) -> Result:
        """The result of an input that could not be done, with the rows that even such an input has."""

    def setup(self) -> None:
        """Load what is heavy, once in each worker."""

    def __call__(self, items: Sequence[In]) -> Iterable[Result]:
        """Give one result for each input."""

    def close(self) -> None:
        """Let go of what `setup` took."""
