"""What waits to be made, what is being made, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Condition
from typing import Any

from infra.sample_request import Asked
from schemas import ConfigError

MAX_WAITING = 256
"""More are refused."""
_REMEMBERED = 64
"""Of those that are over, so many are still told of."""
_SHOWN = 400
"""Characters of a prompt that are told while it waits."""


class State(StrEnum):
    """Where an order stands."""

    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One result that somebody waits for."""

    id: str
    set_id: str
    number: int
    """Which of the results of its form it is, from 0."""
    asked: Asked
    form: Mapping[str, Any]
    """As it was sent."""
    draft: bool
    longer: tuple[str, ...] = ()
    """What is made instead of the prompts of `asked`, where one was written out."""
    state: State = State.waiting
    message: str = ""
    """Why it failed."""

    def to_json(self) -> dict[str, Any]:
        """What the page is told."""
        names = ("id", "set_id", "number", "state", "message")
        said = {name: getattr(self, name) for name in names}
        prompt = self.asked.prompt or " / ".join(self.asked.prompts)
        return {**said, "prompt": prompt[:_SHOWN], "mode": self.form["mode"]}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far what runs is."""

    step: int
    """Of the pack that is being made."""
    steps: int
    num: int
    """Windows in the pack."""
    share: float
    """Of everything that was begun together, 0 to 1."""


class Line:
    """Orders in the order in which they came; any thread may ask."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._orders: dict[str, Order] = {}
        self._progress: Progress | None = None
        self._is_ready = self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is to be made."""
        return self._is_closed

    def open(self) -> None:
        """Say that orders are being taken up."""
        self._is_ready = True

    def close(self) -> None:
        """Have whoever makes them stop; what waits is not made."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def add(self, orders: Sequence[Order]) -> None:
        """Put orders at the end.

        Raises:
            ConfigError: Too many wait.
        """
        with self._changed:
            if len(self._waiting()) + len(orders) > MAX_WAITING:
                raise ConfigError(f"{len(self._waiting())} wait already; {MAX_WAITING} may: ask again later")
            self._orders |= {order.id: order for order in orders}
            self._changed.notify_all()

    def cancel(self, name: str) -> bool:
        """Nobody wants an order any more; False where it is over."""
        return self._change(name, (State.waiting, State.running), State.cancelled)

    def claim(self, name: str) -> bool:
        """Begin with an order; False where it does not wait any more."""
        return self._change(name, (State.waiting,), State.running)

    def runs(self, name: str) -> bool:
        """Whether an order was begun and somebody still wants it."""
        with self._changed:
            order = self._orders.get(name)
            return order is not None and order.state is State.running

    def finish(self, name: str) -> None:
        """An order that was begun is there, whoever has cancelled it meanwhile."""
        self._change(name, (State.running, State.cancelled), State.done)

    def fail(self, name: str, message: str) -> None:
        """An order that was begun cannot be made; of no interest where it was cancelled meanwhile."""
        self._change(name, (State.running,), State.failed, message)

    def first(self) -> Order | None:
        """Wait for an order and begin with it; None once the line is closed."""
        with self._changed:
            self._progress = None
            while not self._is_closed:
                if waiting := self._waiting():
                    self._orders[waiting[0].id] = replace(waiting[0], state=State.running)
                    return waiting[0]
                self._changed.wait()
            return None

    def waiting(self) -> list[Order]:
        """Those that wait, in their order."""
        with self._changed:
            return self._waiting()

    def show(self, progress: Progress) -> None:
        """Tell how far what runs is."""
        self._progress = progress

    def to_json(self) -> dict[str, Any]:
        """What the page is told."""
        with self._changed:
            orders, progress = list(self._orders.values()), self._progress
        places = {order.id: k for k, order in enumerate((o for o in orders if o.state is State.waiting), 1)}
        return {
            "is_ready": self._is_ready,
            "orders": [{**order.to_json(), "place": places.get(order.id, 0)} for order in orders],
            "progress": None
            if progress is None
            else {"step": progress.step, "steps": progress.steps, "num": progress.num, "share": progress.share},
        }

    def _waiting(self) -> list[Order]:
        return [order for order in self._orders.values() if order.state is State.waiting]

    def _change(self, name: str, before: Collection[State], after: State, message: str = "") -> bool:
        with self._changed:
            order = self._orders.get(name)
            if order is None or order.state not in before:
                return False
            self._orders[name] = replace(order, state=after, message=message)
            over = [o.id for o in self._orders.values() if o.state not in (State.waiting, State.running)]
            for old in over[:-_REMEMBERED]:
                del self._orders[old]
            return True
