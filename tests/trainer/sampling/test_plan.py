from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from schemas import ConfigError
from trainer.model.flops import forward_flops
from trainer.sampling import Mode, ModelSource, Request, SamplingConfig, Size
from trainer.sampling.plan import available_memory, plan

Config = Callable[..., SamplingConfig]
GIB = float(2**30)


def asked(**values: Any) -> Request:
    return Request(**{"prompt": "blue", "size": Size(64, 64), "num_frames": 9, **values})


def test_a_plan_counts_tokens_and_flops_of_each_look(model_source: ModelSource, sampling_config: Config) -> None:
    config = sampling_config(solver={"kind": "heun", "steps": 10}, guidance={"text": 1.0})
    (window,) = plan([asked()], config, model_source, GIB).windows
    assert window.num_tokens == 3 * 4 * 4
    widths = {"patch_channels": 16, "text_width": 128}
    one = float(forward_flops(model_source.shape, [48], [config.text_encoder.max_tokens], **widths)[0])
    assert window.tflop == pytest.approx(19 * one / 1e12)
    guided = plan([asked()], sampling_config(solver={"kind": "heun", "steps": 10}), model_source, GIB)
    assert window.tflop < guided.windows[0].tflop < 2 * window.tflop


def test_a_plan_walks_through_all_windows_without_holding_a_film(
    model_source: ModelSource, sampling_config: Config
) -> None:
    config = sampling_config(max_seconds=60)
    minute = plan([asked(num_frames=480, size=Size(1920, 1080))], config, model_source, 1e6 * GIB)
    assert len(minute.windows) > 10
    assert {window.pixels[1:] for window in minute.windows} == {(1088, 1920)}
    ten_s = plan([asked(num_frames=80, size=Size(1920, 1080))], config, model_source, 1e6 * GIB)
    # Frames leave the film as it grows.
    assert minute.need_bytes == ten_s.need_bytes
    assert minute.film_bytes <= 2 * 41 * 1920 * 1080 * 3


def test_a_draft_is_planned_too(model_source: ModelSource, sampling_config: Config) -> None:
    small, large = plan([asked()], sampling_config(), model_source, GIB, draft=True).windows
    assert (small.pixels, large.pixels) == ((9, 32, 32), (9, 64, 64))


def test_given_clips_are_planned_by_their_length(model_source: ModelSource, sampling_config: Config) -> None:
    clip = np.zeros((13, 64, 64, 3), np.uint8)
    found = plan([asked(mode=Mode.both, clips=(clip,))], sampling_config(), model_source, GIB)
    assert [window.pixels.frames for window in found.windows] == [17, 17]


def test_what_the_machine_cannot_hold_is_refused_with_the_table(
    model_source: ModelSource, sampling_config: Config
) -> None:
    request = asked(size=Size(2048, 2048), num_frames=1)
    found = plan([request], sampling_config(), model_source, 0.6 * GIB)
    assert not found.is_possible
    with pytest.raises(ConfigError, match="this device cannot hold what is asked for") as caught:
        found.refuse()
    lines = str(caught.value).splitlines()
    assert "tokens" in lines[1]
    assert "16,384" in lines[2]
    assert "sequence parallel: degree" in lines[-1]
    plan([request], sampling_config(), model_source, 64 * GIB).refuse()


def test_tiles_keep_the_decoder_small(model_source: ModelSource, sampling_config: Config) -> None:
    from trainer.sampling import find_model

    config = sampling_config()
    tiled = find_model(
        config.model_copy(update={"autoencoder": config.autoencoder.model_copy(update={"tile_px": 256})})
    )
    request = asked(size=Size(2048, 2048), num_frames=1)
    (whole,), (less,) = (plan([request], config, source, GIB).windows for source in (model_source, tiled))
    assert less.decode_bytes < whole.decode_bytes / 3
    assert less.model_bytes == whole.model_bytes


def test_longer_sequences_ask_for_more_devices(model_source: ModelSource, sampling_config: Config) -> None:
    degrees = [
        plan([asked(size=Size(side, side), num_frames=1)], sampling_config(), model_source, 0.75 * GIB).degree
        for side in (64, 1024, 4096)
    ]
    assert degrees[0] == 1
    assert None not in degrees
    assert degrees == sorted(degrees, key=lambda degree: degree or 0)
    assert degrees[2] != 1
    assert plan([asked()], sampling_config(), model_source, 0.1 * GIB).degree is None


def test_memory_is_the_machines_or_the_configs(sampling_config: Config) -> None:
    assert available_memory(sampling_config(memory_gib=3), "cpu") == 3 * GIB
    assert 0 < available_memory(sampling_config(memory_gib=None), "cpu") < 1e6 * GIB
