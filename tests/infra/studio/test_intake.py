from __future__ import annotations

from pathlib import Path

import pytest

from infra.sample_config import SampleConfig
from infra.studio.app import Server
from infra.studio.form import FieldError, read_form
from infra.studio.intake import Intake
from infra.studio.references import References
from schemas import ConfigError


@pytest.fixture
def intake(studio: Server, studio_config: SampleConfig, tmp_path: Path) -> Intake:
    return Intake(studio_config, References(tmp_path / "given", 60.0), studio.history, studio.worker)


def test_results_of_a_form_are_orders_of_one_set(intake: Intake, studio: Server) -> None:
    form = {"mode": "text", "prompt": "p", "seed": 3, "results": 3, "kind": "picture"}
    orders, notes = intake.take(read_form(form))
    assert [order.asked.seed for order in orders] == [3, 4, 5]
    assert {order.set_id for order in orders} == {orders[0].id}
    assert len({order.id for order in orders}) == 3
    assert orders[2].asked.out == studio.history.folder / f"{orders[2].id}.png"
    assert orders[0].form["seed"] == "3"
    assert notes == []


@pytest.mark.parametrize("name", ["", "/", "given/", "given/../x", "made/../x", "other/" + "a" * 32, "/etc/passwd"])
def test_a_reference_that_is_none_is_never_followed(intake: Intake, name: str) -> None:
    assert intake.reference(name) is None


def test_what_the_policy_refuses_waits_for_nothing(intake: Intake) -> None:
    with pytest.raises(ConfigError, match=r"^the prompt is refused by the policy: violence"):
        intake.take(read_form({"mode": "text", "prompt": "a gory beheading"}))


def test_shots_are_refused_by_their_number_and_all_together_by_their_length(intake: Intake) -> None:
    shot = {"prompt": "it rolls", "seconds": 40}
    form = {"mode": "shots", "prompt": "a ball"}
    with pytest.raises(ConfigError, match=r"^shot 2: the prompt is refused by the policy: violence"):
        intake.take(read_form({**form, "shots": [shot, {**shot, "prompt": "a gory beheading"}]}))
    with pytest.raises(FieldError, match=r"max_seconds") as caught:
        intake.take(read_form({**form, "shots": [shot, shot]}))
    assert caught.value.field == "shots"
    with pytest.raises(ConfigError, match=r"^shot 1: the prompt is refused by the policy: violence"):
        intake.take(read_form({**form, "shots": [{**shot, "prompt": "a gory beheading", "as_written": "a"}]}))
    ((order,), _) = intake.take(
        read_form({**form, "shots": [{**shot, "prompt": "a ball rolls far", "as_written": "rolls"}]})
    )
    assert (order.asked.prompts, order.longer) == (("a ball rolls",), ("a ball rolls far",))
    assert order.form["shots"][0]["as_written"] == "rolls"


def test_what_is_given_is_not_decoded_at_a_size_that_is_too_much(
    studio: Server, studio_config: SampleConfig, video: Path, tmp_path: Path
) -> None:
    references = References(tmp_path / "given", 60.0)
    scratch = references.scratch()
    scratch.write_bytes(video.read_bytes())
    name = references.keep(scratch)
    form = {"mode": "extend", "prompt": "p", "reference": f"given/{name}"}
    intake = Intake(studio_config, references, studio.history, studio.worker)
    with pytest.raises(ConfigError, match=r"sides lie in 16 to 4096"):
        intake.take(read_form({**form, "size": "99999x99999"}))
    studio.worker.available_bytes = 1e9
    with pytest.raises(ConfigError, match=r"what is given takes 2.25 GiB at 4096x4096, and there are 0.93 GiB"):
        intake.take(read_form({**form, "size": "4096x4096"}))
