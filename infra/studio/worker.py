"""The thread that owns the sampler: takes what waits, makes together what fits into one pack, writes it down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from infra.expansion import job_of
from infra.policy.policy import Refusal
from infra.sample_config import SampleConfig
from infra.sample_output import Drafts, Job, Writer
from infra.sample_request import given_of
from infra.studio.form import told
from infra.studio.history import Entry, History
from infra.studio.line import Line, Order, Progress
from infra.studio.references import as_jpeg
from schemas import ConfigError
from trainer.sampling import Frames, ModelSource, Request
from trainer.sampling.plan import Plan, plan

if TYPE_CHECKING:
    from trainer.sampling.sampler import Sampled, Sampler
    from trainer.sampling.window import Window


class _ClosedError(Exception):
    """The server ends while something is being made."""


class _UnwantedError(Exception):
    """All that is being made was cancelled."""


class Worker:
    """Makes what stands in a line, until it is closed.

    Args:
        config: How the model is asked.
        source: The model.
        available_bytes: Of memory, before the model is loaded.
        line: What waits.
        history: Takes what was made.
    """

    def __init__(
        self, config: SampleConfig, source: ModelSource, available_bytes: float, line: Line, history: History
    ) -> None:
        self._config, self._source, self.available_bytes = config, source, available_bytes
        self._line, self._history = line, history
        self._meter = Meter(line, 1)

    def run(self) -> None:
        """Load the model and work; called in a thread of its own.

        Raises:
            ConfigError: The model cannot be loaded, or the signer cannot sign.
        """
        from trainer.sampling.sampler import Sampler

        sampler = Sampler(self._config, self._source, lambda step, steps, num: self._meter(step, steps, num))
        writer = Writer(self._config, self._source)
        self._line.open()
        try:
            while (first := self._line.first()) is not None:
                self._make(self._gathered(first), sampler, writer)
        except _ClosedError:
            return

    def plan_of(self, requests: Sequence[Request], *, draft: bool) -> Plan:
        """What requests cost together.

        Raises:
            ConfigError: One of them cannot be made.
        """
        return plan(requests, self._config, self._source, self.available_bytes, draft=draft)

    def _gathered(self, first: Order) -> list[tuple[Order, Job]]:
        """The first order, and those behind it that fit into a pack with it."""
        found: list[tuple[Order, Job]] = []
        for order in (first, *self._line.waiting()):
            if order.draft != first.draft:
                continue
            try:
                job = self._read(order)
                together = self.plan_of(
                    [*(job.given.request for _, job in found), job.given.request], draft=first.draft
                )
            except ConfigError as error:
                if order is first or self._line.claim(order.id):
                    self._fail(order, error)
                continue
            if found and not fits(together, self._config.pack_tokens):
                break
            if order is first or self._line.claim(order.id):
                found.append((order, job))
        return found

    def _read(self, order: Order) -> Job:
        return job_of(order.asked, given_of(order.asked, self._config), order.longer)

    def _make(self, batch: Sequence[tuple[Order, Job]], sampler: Sampler, writer: Writer) -> None:
        """Make orders together; where one of them spoils it, each alone.

        What is cancelled meanwhile is made to the end for the sake of the others, and not written.
        """
        batch = [(order, job) for order, job in batch if self._line.runs(order.id)]
        if not batch:
            return
        is_draft = batch[0][0].draft
        jobs = [job for _, job in batch]
        requests = [job.given.request for job in jobs]
        try:
            planned = self.plan_of(requests, draft=is_draft)
            planned.refuse()
            self._meter = Meter(self._line, len(planned.windows), [order.id for order, _ in batch])
            drafts = _AllDrafts(jobs, planned, writer) if is_draft else None
            made = sampler.sample(requests, drafts)
        except _UnwantedError:
            for order, _ in batch:
                self._history.drop_drafts(order.id)
            return
        except ConfigError as error:
            if len(batch) > 1:
                for one in batch:
                    self._make([one], sampler, writer)
            else:
                self._fail(batch[0][0], error)
            return
        for (order, job), sampled in zip(batch, made, strict=True):
            if not self._line.runs(order.id):
                self._history.drop_drafts(order.id)
                continue
            try:
                self._keep(order, job, sampled, writer)
            except ConfigError as error:
                self._fail(order, error)
            else:
                self._line.finish(order.id)

    def _fail(self, order: Order, error: ConfigError) -> None:
        self._history.drop_drafts(order.id)
        self._line.fail(order.id, told(str(error), order.asked))

    def _keep(self, order: Order, job: Job, made: Sampled, writer: Writer) -> None:
        """Write a result and put it into the history, unless the policy holds it back.

        Raises:
            ConfigError: It is not written.
        """
        record, out = writer.write(job, made.frames, draft=order.draft), order.asked.out
        if isinstance(record, Refusal):
            raise ConfigError(f"the result is {record}")
        notes = [told(note, order.asked) for note in (*job.given.notes, *made.notes)]
        about = {"id": order.id, "set_id": order.set_id, "number": order.number, "suffix": out.suffix}
        entry = Entry.model_validate({**about, "form": dict(order.form), "record": record, "notes": notes})
        self._history.add(entry, as_jpeg(made.frames[0]))


class Meter:
    """Tells how far all windows of what was begun together are.

    Args:
        line: Told.
        num_windows: Of everything.
        names: The orders that are made.
    """

    def __init__(self, line: Line, num_windows: int, names: Sequence[str] = ()) -> None:
        self._line, self._num_windows, self._names = line, num_windows, names
        self._num_done = 0

    def __call__(self, step: int, steps: int, num: int) -> None:
        """Take note of a step of a pack.

        Raises:
            _ClosedError: The line is closed.
            _UnwantedError: Nobody wants any of the orders any more.
        """
        if self._line.is_closed:
            raise _ClosedError
        if self._names and not any(map(self._line.runs, self._names)):
            raise _UnwantedError
        share = (self._num_done + num * step / steps) / self._num_windows
        self._line.show(Progress(step, steps, num, share))
        if step == steps:
            self._num_done += num


class _AllDrafts:
    """Writes the drafts of orders that are made together, each beside its own output."""

    def __init__(self, jobs: Sequence[Job], planned: Plan, writer: Writer) -> None:
        drafts = [Drafts(job.asked.out, writer, lambda _: None) for job in jobs]
        counts = Counter(window.request for window in planned.windows)
        # Of each window the plan has two, the small one and the one at full size.
        rounds = in_rounds([counts[number] // 2 for number in range(len(jobs))])
        self._next = iter([drafts[index] for index in rounds])

    def __call__(self, window: Window, frames: Frames) -> None:
        next(self._next)(window, frames)


def in_rounds(counts: Sequence[int]) -> list[int]:
    """Which film each window belongs to, when films take turns until each has had all of its windows.

    Args:
        counts: Windows of each film.
    """
    return [index for turn in range(max(counts)) for index, count in enumerate(counts) if count > turn]


def fits(planned: Plan, pack_tokens: int) -> bool:
    """Whether there is something in making requests together: the device holds them, and so does a pack.

    Args:
        planned: Of all of them.
        pack_tokens: Tokens of a pack.
    """
    most: dict[int, int] = {}
    for window in planned.windows:
        most[window.request] = max(most.get(window.request, 0), window.num_tokens)
    return planned.is_possible and sum(most.values()) <= pack_tokens
