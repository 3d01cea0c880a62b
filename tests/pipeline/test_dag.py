from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from pipeline.dag import InputStep, Step, order, until
from pipeline.ledger import UnitParts
from schemas import ConfigError, MediaError, Resources, Result


class Named:
    version = 1
    resources = Resources()
    batch_size = 1

    def __init__(
        self, name: str, reads: Mapping[str, tuple[str, ...]] | None = None, writes: tuple[str, ...] = ()
    ) -> None:
        self.name, self.reads, self.writes = name, reads or {}, writes

    def load(self, row: Mapping[str, object]) -> Any:
        raise AssertionError("never run")

    def failed(self, item: Any, error: MediaError) -> Result:
        raise AssertionError("never run")

    def setup(self) -> None: ...

    def close(self) -> None: ...

    def __call__(self, items: Sequence[Any]) -> Iterator[Result]:
        yield from ()


def step(name: str, reads: Mapping[str, tuple[str, ...]] | None = None, writes: tuple[str, ...] = ()) -> Step:
    parts = UnitParts(stage=name, version=1, config="", models="", upstream="")
    return InputStep(stage=Named(name, reads, writes), inputs=lambda _: [], parts=lambda _: parts)


def names(steps: Sequence[Step]) -> list[str]:
    return [step.name for step in steps]


def test_a_step_comes_after_those_that_fill_what_it_reads() -> None:
    scan = step("scan", {"files": ("uri",)}, ("clips",))
    assert names(order([step("faces", {"clips": ("clip_id",)}), scan, step("ingest", writes=("files",))])) == [
        "ingest",
        "scan",
        "faces",
    ]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param([step("a", {"clip": ()})], "no table 'clip'", id="unknown table"),
        pytest.param([step("a", {"clips": ("colour",)})], "table clips has no column colour", id="unknown column"),
        pytest.param([step("a"), step("a")], "named twice", id="same name"),
        pytest.param(
            [step("a", {"clips": ()}, ("shots",)), step("b", {"shots": ()}, ("clips",))],
            "in a circle",
            id="circle",
        ),
    ],
)
def test_a_wrong_graph_is_refused_before_anything_starts(steps: list[Step], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        order(steps)


def test_until_cuts_the_graph_and_names_the_near_miss() -> None:
    steps = order([step("ingest", writes=("files",)), step("scan", {"files": ()}, ("clips",))])
    assert names(until(steps, "ingest")) == ["ingest"]
    with pytest.raises(ConfigError, match="no stage 'scna'; did you mean 'scan'"):
        until(steps, "scna")
