"""Views of the dataset's tables for a server: opened anew when the tables change, used by one request at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import duckdb

from infra.inspect.rules import Rule, rules_of
from infra.inspect.sample import draw_sample
from infra.inspect.sql import open_views
from pipeline.dataset import Dataset
from schemas import TABLES, ConfigError

T = TypeVar("T")

_TIMEOUT_S = 30.0
"""How long a request's statements may take."""
_PAGE_TIMEOUT_S = 1800.0
"""How long those of a whole page may take."""


class Views:
    """The tables as they are now, for functions that read them.

    Args:
        dataset: Whose tables.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._turn = threading.Lock()

    def read(self, work: Callable[[duckdb.DuckDBPyConnection, list[Rule]], T], *, with_sample: bool = False) -> T:
        """Do something with the views and the dataset's rules.

        Args:
            work: Gets both; called again, once, where a run has put the tables' files away meanwhile.
            with_sample: Whether the table `sampled` is wanted.

        Raises:
            ConfigError: The dataset changed twice while it was read, or reading took too long.
        """
        with self._turn:
            return self._twice(work, with_sample, _TIMEOUT_S)

    def read_long(self, work: Callable[[duckdb.DuckDBPyConnection, list[Rule]], T]) -> T:
        """The same for a whole page, beside the requests, which do not wait for it."""
        return self._twice(work, False, _PAGE_TIMEOUT_S)

    def _twice(
        self, work: Callable[[duckdb.DuckDBPyConnection, list[Rule]], T], with_sample: bool, timeout_s: float
    ) -> T:
        try:
            return self._once(work, with_sample, timeout_s)
        except ConfigError:
            return self._once(work, with_sample, timeout_s)

    def _once(
        self, work: Callable[[duckdb.DuckDBPyConnection, list[Rule]], T], with_sample: bool, timeout_s: float
    ) -> T:
        with open_views(self._dataset.manifest) as db:
            rules = rules_of(self._dataset.describe(), db)
            timer = threading.Timer(timeout_s, db.interrupt)
            timer.daemon = True
            timer.start()
            try:
                if with_sample:
                    draw_sample(db, rules)
                return work(db, rules)
            except duckdb.InterruptException as error:
                raise ConfigError(f"stopped after {timeout_s:g} s") from error
            finally:
                timer.cancel()
                timer.join()

    def state(self) -> str:
        """Changes whenever a table changes that the page shows; labels have their own way to it."""
        manifest = self._dataset.manifest
        tables = [table for table in TABLES if table not in ("labels", "ledger")]
        return repr([(table, sorted(files)) for table in tables if (files := manifest.files(table))])
