"""What comes out of a model, sampled through all that is real but its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from schemas import ConfigError
from trainer.sampling import Mode, Region, Request, SamplingConfig, Size, find_model
from trainer.sampling.request import Frames
from trainer.sampling.sampler import Sampler, resized
from trainer.sampling.window import Window

Samplers = Callable[..., Sampler]
SIZE = Size(40, 32)


def smooth(num: int, seed: int = 0, size: Size = SIZE) -> Frames:
    """A clip that moves softly."""
    coarse = torch.rand(1, 3, 3, 3, 4, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(coarse, (num, size.height, size.width), mode="trilinear")[0]
    return (large.permute(1, 2, 3, 0) * 255).to(torch.uint8).numpy()


def asked(**values: Any) -> Request:
    return Request(**{"prompt": "a small red circle moves to the left", "size": SIZE, "num_frames": 9, **values})


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_video(samplers: Samplers) -> None:
    first, again, other = (samplers().sample([asked(seed=seed)])[0].frames for seed in (3, 3, 4))
    assert first.shape == (9, 32, 40, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [Size(40, 32), Size(32, 72), Size(33, 47), Size(17, 16)], ids=str)
@pytest.mark.parametrize("num", [1, 6])
def test_any_size_and_length_comes_out_as_asked(samplers: Samplers, size: Size, num: int) -> None:
    (made,) = samplers().sample([asked(size=size, num_frames=num)])
    assert made.frames.shape == (num, size.height, size.width, 3)
    on_grid = size.width % 16 == size.height % 16 == 0
    assert any("is not on the model's grid" in note for note in made.notes) != on_grid


def test_videos_packed_together_are_those_made_alone(samplers: Samplers) -> None:
    requests = [
        asked(seed=1),
        asked(seed=2, size=Size(32, 48), num_frames=1, prompt="blue"),
        asked(seed=3, size=Size(64, 32), num_frames=17),
    ]
    together = samplers().sample(requests)
    for request, made in zip(requests, together, strict=True):
        (alone,) = samplers().sample([request])
        assert made.frames.shape == alone.frames.shape
        difference = np.abs(made.frames.astype(int) - alone.frames.astype(int))
        # Sums of another length round otherwise.
        assert difference.max() <= 1


def test_the_prompt_counts_and_counts_more_with_guidance(
    sampling_config: Callable[..., SamplingConfig],
) -> None:
    def away(text: float) -> float:
        config = sampling_config(guidance={"text": text})
        sampler = Sampler(config, find_model(config))
        left, right = (sampler.sample([asked(prompt=prompt)])[0].frames.astype(int) for prompt in ("red", "blue"))
        return float(np.abs(left - right).mean())

    assert 0 < away(1.0) < away(8.0)


def test_a_given_picture_counts_as_much_as_its_guidance_says(
    sampling_config: Callable[..., SamplingConfig],
) -> None:
    def latents(text: float, image: float, given: int) -> tuple[torch.Tensor, torch.Tensor]:
        config = sampling_config(guidance={"text": text, "image": image})
        sampler = Sampler(config, find_model(config))
        sampler._read("blue", [])
        # Beside a window of another size of which nothing is given.
        windows = [
            Window(prompt="blue", size=SIZE, num_frames=17, seed=1, first=smooth(1, given)),
            Window(prompt="blue", size=Size(32, 48), num_frames=1, seed=2),
        ]
        with torch.inference_mode():
            prepared = [sampler._prepared(window, sampler._noise(window)) for window in windows]
            found = sampler._solved([replace(one, name=str(place)) for place, one in enumerate(prepared)])
        assert torch.equal(found["0"][:, :1], prepared[0].clean_CFHW[:, :1])
        return found["0"][:, 1:], found["1"]

    def apart(text: float, image: float) -> float:
        (left, left_other), (right, right_other) = (latents(text, image, given) for given in (0, 1))
        torch.testing.assert_close(left_other, right_other)
        return float((left - right).abs().mean())

    # Without any weight neither counts; with more of it the picture counts more.
    assert apart(0.0, 0.0) < 1e-4 < apart(1.0, 1.0) < apart(1.0, 4.0)


@pytest.mark.parametrize("kind", ["video", "pictures"])
def test_a_video_begins_with_its_picture(samplers: Samplers, kind: str) -> None:
    sampler, picture = samplers(kind), smooth(1)
    (made,) = sampler.sample([asked(mode=Mode.image, clips=(picture,))])
    assert made.frames.shape == (9, 32, 40, 3)
    assert_is_kept(sampler, made.frames[:1], picture)


def assert_is_kept(sampler: Sampler, found: Frames, given: Frames) -> None:
    """Whether frames are those that the autoencoder gives back."""
    window = Window(prompt="", size=SIZE, num_frames=len(given), seed=0)
    layout = window.layout(sampler.source.grid)
    with torch.inference_mode():
        kept = sampler._decoded(sampler._encoded(given, layout), layout)
    assert np.abs(found.astype(int) - kept.astype(int)).max() <= 1


def test_an_extended_clip_keeps_its_frames_whatever_the_seed_makes_of_the_rest(samplers: Samplers) -> None:
    given = smooth(13)
    first, second = (
        samplers().sample([asked(mode=Mode.forward, clips=(given,), num_frames=8, seed=seed)])[0].frames
        for seed in (1, 2)
    )
    assert len(first) == 21
    # The last five are the context, over which they fade into what the autoencoder gives back.
    assert np.array_equal(first[:8], given[:8])
    assert np.array_equal(first[:13], second[:13])
    assert not np.array_equal(first[13:], second[13:])


def test_backward_extensions_of_different_seeds_end_in_the_same_frames(samplers: Samplers) -> None:
    given = smooth(13)
    films = [
        samplers().sample([asked(mode=Mode.backward, clips=(given,), num_frames=8, seed=seed)])[0].frames
        for seed in (1, 2, 3, 4)
    ]
    for film in films:
        assert len(film) == 8 + 13
        assert np.array_equal(film[-4:], given[-4:])
        # Latents that are given stay as they are; a decoder that looks back sees what was made before them.
        assert np.abs(film[-8:].astype(int) - films[0][-8:].astype(int)).max() <= 40
    assert not np.array_equal(films[0][:8], films[1][:8])


def test_given_latents_are_not_touched(samplers: Samplers) -> None:
    sampler, given = samplers(), smooth(9)
    window = Window(prompt="blue", size=SIZE, num_frames=17, seed=1, first=given)
    sampler._read("blue", [])
    with torch.inference_mode():
        prepared = replace(sampler._prepared(window, sampler._noise(window)), name="0")
        latent = sampler._solved([prepared])["0"]
    assert torch.equal(latent[:, :3], prepared.clean_CFHW[:, :3])
    assert not torch.equal(latent[:, 3:], prepared.noise_CFHW[:, 3:])


@pytest.mark.parametrize("kind", ["video", "pictures"])
def test_clips_are_connected_and_loops_closed_at_their_length(samplers: Samplers, kind: str) -> None:
    sampler = samplers(kind)
    one, two = smooth(13, 1), smooth(15, 2)
    (passage,) = sampler.sample([asked(mode=Mode.connect, clips=(one, two), num_frames=7)])
    assert np.array_equal(passage.frames[:4], one[:4])
    assert np.array_equal(passage.frames[-4:], two[-4:])
    assert len(passage.frames) == len(one) + 7 + len(two)
    (loop,) = sampler.sample([asked(mode=Mode.loop, num_frames=24)])
    assert len(loop.frames) == 24


def test_a_loop_of_frames_that_stand_alone_wraps(samplers: Samplers) -> None:
    request = asked(mode=Mode.loop, num_frames=12)
    loop, plain = (samplers("pictures").sample([one])[0] for one in (request, replace(request, mode=Mode.text)))
    assert any("wraps" in note for note in loop.notes)
    assert loop.frames.shape == plain.frames.shape
    assert not np.array_equal(loop.frames, plain.frames)


def test_a_stronger_edit_keeps_less(samplers: Samplers) -> None:
    sampler, given = samplers(), smooth(9)
    window = Window(prompt="blue", size=SIZE, num_frames=9, seed=1, whole=given)
    sampler._read("blue", [])
    away = []
    for strength in (0.02, 0.3, 1.0):
        prepared = sampler._prepared(replace(window, strength=strength), sampler._noise(window))
        with torch.inference_mode():
            latent = sampler._solved([replace(prepared, name="0")])["0"]
        away.append(float((latent - prepared.clean_CFHW).norm() / prepared.clean_CFHW.norm()))
    assert away[0] < 0.15
    assert 2 * away[0] < away[1] < away[2]
    (made,) = sampler.sample([asked(mode=Mode.edit, clips=(given,), strength=0.5)])
    assert made.frames.shape == given.shape


def test_only_the_region_is_made_anew(samplers: Samplers) -> None:
    sampler, size = samplers("pictures"), Size(64, 32)
    given = smooth(5, size=size)
    films = [
        sampler.sample([asked(mode=Mode.inpaint, size=size, clips=(given,), region=Region(0, 0, 16, 32), seed=seed)])[0]
        for seed in (1, 2)
    ]
    difference = np.abs(films[0].frames.astype(int) - films[1].frames.astype(int)).mean((0, 1, 3))
    # A decoder of pictures mixes neighbours, and norms over the whole picture.
    assert difference[:16].mean() > 3 * difference[48:].mean()


def test_a_variation_lies_the_nearer_the_smaller_it_is(samplers: Samplers) -> None:
    (base,) = samplers().sample([asked(seed=1)])
    away = []
    for amount in (0.05, 0.4, 1.0):
        (made,) = samplers().sample([asked(seed=1, variation=amount, variation_seed=9)])
        away.append(float(np.abs(made.frames.astype(int) - base.frames.astype(int)).mean()))
    assert 0 < away[0] < away[1] < away[2]


def test_a_draft_comes_first_and_the_full_size_looks_like_it(samplers: Samplers) -> None:
    drafts: list[Frames] = []
    request = asked(size=Size(64, 64), seed=5)
    (made,) = samplers("pictures").sample([request], lambda window, frames: drafts.append(frames))
    assert [draft.shape for draft in drafts] == [(9, 32, 32, 3)]
    assert made.frames.shape == (9, 64, 64, 3)
    (straight,) = samplers("pictures").sample([request])
    small = drafts[0].astype(int)
    near, far = (
        np.abs(resized(frames, Size(32, 32)).astype(int) - small).mean() for frames in (made.frames, straight.frames)
    )
    assert near < far


def test_a_draft_of_an_edit_is_refused(samplers: Samplers) -> None:
    with pytest.raises(ConfigError, match="begins with a clip, and a draft with noise"):
        samplers().sample([asked(mode=Mode.edit, clips=(smooth(9),))], lambda window, frames: None)


def test_heun_and_the_interval_and_the_rescaling_work_together(sampling_config: Callable[..., SamplingConfig]) -> None:
    changes: dict[str, Any] = {
        "solver": {"kind": "heun", "steps": 3},
        "guidance": {"text": 5.0, "interval": [0.2, 0.9], "rescale": 0.7},
    }
    config = sampling_config(**changes)
    (made,) = Sampler(config, find_model(config)).sample([asked()])
    assert made.frames.std() > 0


def test_long_prompts_are_said_to_be_cut_and_longer_videos_made_in_pieces(samplers: Samplers) -> None:
    (made,) = samplers().sample([asked(prompt="red " * 600, num_frames=60)])
    assert made.frames.shape[0] == 60
