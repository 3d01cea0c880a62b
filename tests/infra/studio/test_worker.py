"""What is made together, and what becomes of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from infra.demo.weights import CLIP_WEIGHTS
from infra.sample_config import SampleConfig
from infra.sample_request import make_asked
from infra.studio.app import Server
from infra.studio.line import Line, Order, Progress
from infra.studio.worker import Meter, fits, in_rounds
from schemas import LatentShape, PixelShape
from trainer.sampling import find_model
from trainer.sampling.plan import Plan, PlannedWindow
from trainer.sampling.provenance import read_record

WAIT_S = 100.0


@contextmanager
def working(server: Server) -> Iterator[None]:
    """Have the worker work until everything in the line is over."""
    thread = threading.Thread(target=server.worker.run)
    thread.start()
    try:
        yield
        until = time.monotonic() + WAIT_S
        while any(one["state"] in ("waiting", "running") for one in server.line.to_json()["orders"]):
            assert thread.is_alive()
            assert time.monotonic() < until, server.line.to_json()
            time.sleep(0.01)
    finally:
        server.line.close()
        thread.join(WAIT_S)
    assert not thread.is_alive()


@pytest.fixture
def make_order() -> Callable[..., Order]:
    """Puts something into a line."""
    count = iter(range(100))

    def put(
        server: Server, *, draft: bool = False, ending: str = ".png", longer: tuple[str, ...] = (), **values: Any
    ) -> Order:
        number = next(count)
        name = f"20260101-000000-{number:08x}"
        asked = make_asked({"prompt": f"p{number}", "out": server.history.folder / f"{name}{ending}", **values}, "test")
        made = Order(id=name, set_id=name, number=0, asked=asked, form={"mode": "text"}, draft=draft, longer=longer)
        server.line.add([made])
        return made

    return put


@pytest.fixture
def order(studio: Server, make_order: Callable[..., Order]) -> Callable[..., Order]:
    return partial(make_order, studio)


def states(server: Server) -> list[tuple[str, str]]:
    return [(one["state"], one["message"]) for one in server.line.to_json()["orders"]]


def test_what_waits_together_is_made_in_one_pack_and_drafts_apart(
    studio: Server, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[int, int, float]] = []
    show = studio.line.show
    monkeypatch.setattr(studio.line, "show", lambda p: (shown.append((p.step, p.num, p.share)), show(p)))
    first = order(size="40x32")
    drafted = order(draft=True, size="64x64", ending=".mp4", seconds=0.5)
    third = order(size="32x48", seed=4)
    cancelled = order()
    assert studio.line.cancel(cancelled.id)
    with working(studio):
        pass
    assert [state for state, _ in states(studio)] == ["done", "done", "done", "cancelled"]
    together, apart = shown[:3], shown[3:]
    assert together == [(1, 2, pytest.approx(1 / 3)), (2, 2, pytest.approx(2 / 3)), (3, 2, pytest.approx(1.0))]
    assert [(step, num) for step, num, _ in apart] == [(1, 1), (2, 1), (3, 1)] * 2
    assert [share for *_, share in apart] == pytest.approx([k / 6 for k in range(1, 7)])
    assert [entry.id for entry in studio.history.newest(9)] == [third.id, drafted.id, first.id]
    entry = studio.history.find(drafted.id)
    assert entry is not None
    assert [read_record(draft)["is_draft"] for draft in studio.history.drafts(entry)] == [True]
    assert read_record(studio.history.file(entry)) == entry.record
    assert json.loads((studio.history.folder / f"{third.id}.json").read_text())["record"]["seed"] == 4


def test_shots_are_made_beside_others_and_told_as_a_share_of_all_their_windows(
    studio: Server, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[float] = []
    monkeypatch.setattr(studio.line, "show", lambda progress: shown.append(progress.share))
    shots = [{"prompt": "rolls", "seconds": 0.5}, {"prompt": "stands", "seconds": 0.75, "cut": True}]
    made = order(size="32x32", ending=".mp4", prompt="a ball", shots=shots)
    beside = order(size="32x48")
    with working(studio):
        pass
    assert states(studio) == [("done", "")] * 2
    # Three steps of the first shot's window together with the picture's, and three of the second shot's.
    assert shown == pytest.approx([2 / 9, 4 / 9, 2 / 3, 7 / 9, 8 / 9, 1.0])
    entry = studio.history.find(made.id)
    assert entry is not None
    assert [shot["num_frames"] for shot in entry.record["shots"]] == [4, 6]
    assert studio.history.find(beside.id) is not None


def test_shots_are_left_between_two_of_them_where_nobody_wants_them_any_more(
    studio: Server, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    made = order(
        size="32x32", ending=".mp4", shots=[{"prompt": "rolls", "seconds": 0.5}, {"prompt": "stands", "seconds": 0.5}]
    )

    def show(progress: Progress) -> None:
        steps.append(progress.step)
        if len(steps) == 3:
            studio.line.cancel(made.id)

    monkeypatch.setattr(studio.line, "show", show)
    with working(studio):
        pass
    assert (states(studio), steps) == ([("cancelled", "")], [1, 2, 3])
    assert list(studio.history.folder.glob("*.*")) == []


def test_what_was_written_out_is_made_and_recorded_beside_the_persons_own_words(
    studio: Server, make_order: Callable[..., Order]
) -> None:
    made = make_order(studio, prompt="a ball", longer=("a red ball rolls",))
    with working(studio):
        pass
    entry = studio.history.find(made.id)
    assert entry is not None
    assert (entry.record["prompt"], entry.record["prompt_as_written"]) == ("a red ball rolls", "a ball")
    assert read_record(studio.history.file(entry)) == entry.record


def test_one_that_cannot_be_made_leaves_the_others_alone(
    studio: Server, order: Callable[..., Order], video: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.mp4"
    gone.write_bytes(video.read_bytes())
    order(video=gone, extend="forward", ending=".mp4")
    order()
    gone.unlink()
    with working(studio):
        pass
    (failed, why), done = states(studio)
    assert failed == "failed"
    assert why.startswith("the reference: ")
    assert done == ("done", "")


def test_frames_that_the_policy_refuses_are_not_written(
    sample_values: Callable[..., dict[str, Any]], make_order: Callable[..., Order], tmp_path: Path
) -> None:
    np.save(tmp_path / "blocked.npy", np.eye(1, 128, dtype=np.float32))
    pictures = {
        "safety": {"blocklist": str(tmp_path / "blocked.npy")},
        "embedding": {"weights": str(CLIP_WEIGHTS)},
        # Everything is more like anything than its opposite.
        "max_similarity": -1.0,
    }
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"pictures": pictures}))
    config = SampleConfig.model_validate(sample_values(policy=str(tmp_path / "policy.yaml")))
    server = Server(config, find_model(config), tmp_path / "studio", 2.0**33)
    make_order(server, draft=True)
    with working(server):
        pass
    ((state, why),) = states(server)
    assert state == "failed"
    assert why.startswith("the result is refused by the policy")
    assert list((tmp_path / "studio").glob("*.*")) == []


def test_a_closed_line_stops_what_is_being_made(
    studio: Server, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    order(size="40x32", ending=".mp4")
    # After the first of three steps.
    monkeypatch.setattr(studio.line, "show", lambda progress: studio.line.close())
    thread = threading.Thread(target=studio.worker.run)
    thread.start()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert states(studio) == [("running", "")]
    assert len(studio.history) == 0


def test_what_is_cancelled_while_it_is_made_is_not_written_and_holds_up_nobody(
    studio: Server, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    alone = order(draft=True, size="64x64", ending=".mp4", seconds=0.5)
    dropped, kept = order(size="40x32"), order(size="32x48")

    def show(progress: Progress) -> None:
        steps.append(progress.step)
        # In the second of two rounds of three steps, when the small draft is on the disk.
        studio.line.cancel(alone.id if len(steps) == 4 else dropped.id if len(steps) > 4 else "nobody")

    monkeypatch.setattr(studio.line, "show", show)
    with working(studio):
        pass
    assert [state for state, _ in states(studio)] == ["cancelled", "cancelled", "done"]
    # One was left at its next step, and two were made together to the end.
    assert steps == [1, 2, 3, 1, 1, 2, 3]
    assert [entry.id for entry in studio.history.newest(9)] == [kept.id]
    assert {path.name.partition(".")[0] for path in studio.history.folder.glob("*.*")} == {kept.id}


def planned(*windows: tuple[int, int], available: float = 2**40) -> Plan:
    pixels, latent = PixelShape(1, 8, 8), LatentShape(4, 1, 1, 1)
    made = [
        PlannedWindow(
            request=request,
            pixels=pixels,
            latent=latent,
            num_tokens=tokens,
            tflop=1.0,
            model_bytes=1.0,
            decode_bytes=1.0,
        )
        for request, tokens in windows
    ]
    return Plan(tuple(made), 1.0, 1.0, available, ())


def test_requests_fit_where_their_largest_windows_fill_one_pack() -> None:
    assert fits(planned((0, 40), (0, 60), (1, 40)), 100)
    assert not fits(planned((0, 40), (0, 60), (1, 41)), 100)
    assert not fits(planned((0, 40), available=8.0), 100)


@pytest.mark.parametrize(
    ("counts", "rounds"), [([1], [0]), ([1, 1], [0, 1]), ([3, 1, 2], [0, 1, 2, 0, 2, 0]), ([0, 2], [1, 1])]
)
def test_films_take_turns_until_each_has_had_its_windows(counts: list[int], rounds: list[int]) -> None:
    assert in_rounds(counts) == rounds


def test_a_meter_goes_from_nothing_to_all() -> None:
    line = Line()
    meter = Meter(line, 3)
    shares = []
    for num in (2, 1):
        for step in (1, 2):
            meter(step, 2, num)
            shares.append(line.to_json()["progress"]["share"])
    assert shares == pytest.approx([1 / 3, 2 / 3, 5 / 6, 1.0])
