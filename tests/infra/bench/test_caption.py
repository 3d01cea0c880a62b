from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from captioner.engine import CaptionRequest
from infra.bench.caption import _figures
from infra.bench.caption_clips import Setting, Stored, forced, make_films, open_decoder, store_frames
from infra.bench.footage import once

SETTING = Setting(num_clips=3, max_tokens=7, num_frames=2, max_pixels=56 * 56, film_size=(64, 36))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    folder = tmp_path_factory.mktemp("caption")
    films = make_films(folder / "films", SETTING)
    once(folder / "frames.npz", partial(store_frames, SETTING, films))
    return Stored(folder)


def test_a_setting_survives_the_way_to_a_part() -> None:
    assert Setting.from_json(SETTING.to_json()) == SETTING
    assert Setting().name != SETTING.name


def test_the_stored_frames_are_those_that_the_stage_decodes(stored: Stored) -> None:
    reader = open_decoder(SETTING)
    items = stored.inputs()
    assert len(items) == len(stored.windows) == 3
    for item in items:
        (span,) = item.spans()
        decoded = reader.read(item.uri, item.probed(), span)
        kept = stored.read(item.uri, item.probed(), span)
        assert np.array_equal(decoded.frames, kept.frames)
        assert decoded.times_s == kept.times_s
    reader.close()
    assert not np.array_equal(stored.windows[0].frames, stored.windows[1].frames)


def test_every_part_asks_the_same(stored: Stored) -> None:
    for request in stored.requests(SETTING):
        assert (request.min_tokens, request.max_tokens, request.temperature, request.schema) == (7, 7, 0.0, None)
        assert request == forced(request, SETTING)
    asked = forced(CaptionRequest(request_id="a", prompt="b", schema={}, temperature=1.0), SETTING)
    assert asked == CaptionRequest(request_id="a", prompt="b", max_tokens=7, min_tokens=7)


def test_promises_are_ratios_of_the_medians() -> None:
    def run(rate: float, **more: float) -> dict[str, float]:
        told = {"tokens": 100 * rate, "seconds": 100.0, "prompt_tokens": 5, "own_cpu_s": 150.0, "load": 1.0}
        return {**told, "steps": 10.0 * rate, "idle_share": 0.02, **more}

    runs = {
        "bare": [run(100), run(50), run(110)],
        "ready": [run(96), run(98)],
        "decoding": [run(80, decoders_cpu_s=50.0)],
        "http": [run(82)],
    }
    figures = {figure.name: figure for figure in _figures(runs, SETTING, 3 * 10**8)}
    reached = {name: (figure.value, figure.reached) for name, figure in figures.items() if figure.target}
    assert reached == {
        "stage with ready frames / bare": (pytest.approx(0.97), True),
        "stage with decoding beside it / bare": (pytest.approx(0.8), False),
        "http engine to vLLM's server / bare": (pytest.approx(0.82), True),
    }
    assert "decoders take 25.0% of the CPU time" in figures["stage with decoding beside it / bare"].note
    assert "10.0 of 32 places filled" in figures["engine idle, ready frames"].note
