from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from trainer.model.attention import Segments
from trainer.model.config import SIZES
from trainer.model.dit import DiT, DiTParams, Packed, joint_order

PARAMS = DiTParams(depth=2, width=48, heads=3, patch_channels=8, text_width=10)
LENGTHS, TEXTS = [6, 6, 15], [3, 1, 4]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def awake(params: DiTParams, *, checkpointed: bool = False) -> DiT:
    """A model in which nothing is zero, as it is after some steps."""
    model = DiT(params, checkpointed=checkpointed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


def pack(given: int = 2) -> Packed:
    """Three samples, of the first of which some tokens are given."""
    samples = torch.repeat_interleave(torch.arange(1, 4), torch.tensor(LENGTHS))
    samples[:given] = 0
    texts = torch.repeat_interleave(torch.arange(1, 4), torch.tensor(TEXTS))
    return Packed(
        patches_LP=torch.randn(sum(LENGTHS), 8),
        times_K=torch.tensor([0.0, 0.3, 0.6, 0.9]),
        time_index_L=samples,
        video=Segments.of(LENGTHS),
        positions_L3=torch.randn(sum(LENGTHS), 3) * 4,
        places_L2=torch.rand(sum(LENGTHS), 2) * 2 - 1,
        text_MT=torch.randn(sum(TEXTS), 10),
        is_nothing_M=texts == 2,
        text=Segments.of(TEXTS),
        text_time_index_M=texts,
    )


def alone(packed: Packed) -> Iterator[Packed]:
    """The samples of a pack, each in one of its own."""
    assert packed.text is not None
    spans = zip(pairwise(packed.video.starts_S.tolist()), pairwise(packed.text.starts_S.tolist()), strict=True)
    for (start, end), (text_start, text_end) in spans:
        yield replace(
            packed,
            **{
                name: getattr(packed, name)[start:end]
                for name in ("patches_LP", "time_index_L", "positions_L3", "places_L2")
            },
            **{
                name: getattr(packed, name)[text_start:text_end]
                for name in ("text_MT", "is_nothing_M", "text_time_index_M")
            },
            video=Segments.of([end - start]),
            text=Segments.of([text_end - text_start]),
        )


@pytest.mark.parametrize("text", ["cross", "joint"])
@pytest.mark.parametrize("modulation", ["block", "shared"])
def test_a_pack_gives_what_its_samples_give_one_by_one(text: str, modulation: str) -> None:
    model = awake(replace(PARAMS, text=text, modulation=modulation, places=True))  # type: ignore[arg-type]
    packed = pack()
    together = model(packed)
    assert together.shape == (27, 8)
    assert torch.allclose(together, torch.cat([model(one) for one in alone(packed)]), atol=1e-5)
    together.square().sum().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}  # type: ignore[union-attr]
    model.zero_grad()
    for one in alone(packed):
        model(one).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert gradients[name].abs().sum() > 0, name
        assert torch.allclose(parameter.grad, gradients[name], rtol=1e-4, atol=1e-4), name


def test_each_token_goes_by_its_own_timestep() -> None:
    model, packed = awake(PARAMS), pack()
    later = replace(packed, times_K=torch.tensor([0.0, 0.3, 0.6, 0.1]))
    changed = (model(packed) - model(later)).abs().amax(-1)
    assert changed[:12].max() == 0
    assert changed[12:].min() > 0
    noisy = replace(packed, times_K=torch.tensor([0.5, 0.3, 0.6, 0.9]))
    changed = (model(packed) - model(noisy)).abs().amax(-1)
    assert changed[:6].min() > 0, "what is given is seen by the rest of its sample"
    assert changed[6:].max() == 0


def test_in_noise_that_is_the_same_everywhere_only_places_tell_where_the_picture_ends() -> None:
    packed = replace(pack(given=0), patches_LP=torch.zeros(27, 8))
    for has_places in (False, True):
        said = awake(replace(PARAMS, places=has_places))(packed).detach()
        tokens_differ = any(float(part.std(0).max()) > 1e-3 for part in said.split(LENGTHS))
        assert tokens_differ == has_places


def test_text_without_words_reads_as_nothing() -> None:
    model, packed = awake(PARAMS), pack()
    other = replace(packed, text_MT=packed.text_MT.clone())  # type: ignore[union-attr]
    other.text_MT[3] = 7.0  # type: ignore[index]
    assert torch.equal(model(packed), model(other))


@pytest.mark.parametrize("text", ["cross", "joint"])
def test_blocks_computed_again_give_the_same_gradients(text: str) -> None:
    params = replace(PARAMS, text=text)  # type: ignore[arg-type]
    packed = pack()
    found = []
    for checkpointed in (False, True):
        torch.manual_seed(1)
        model = awake(params, checkpointed=checkpointed)
        model(packed).square().sum().backward()
        found.append([parameter.grad for parameter in model.parameters()])
    for one, other in zip(*found, strict=True):
        assert one is not None
        assert torch.allclose(one, other)  # type: ignore[arg-type]


def test_a_new_model_says_zero_and_each_block_changes_nothing() -> None:
    model, packed = DiT(PARAMS), pack()
    assert model(packed).abs().max() == 0
    x = torch.randn(27, 48)
    turned = model._rotation(packed)
    assert turned is not None
    conditions, text = model.time_in(packed.times_K), torch.randn(8, 48)
    given = (packed.time_index_L, *turned, packed.video, text, packed.text)
    assert torch.equal(model.blocks[0](x, conditions, *given), x)


DIT = {
    ("S", 8): (33_148_160, 33_142_016),
    ("S", 2): (32_963_360, 32_865_056),
    ("B", 4): (130_475_648, 130_426_496),
    ("L", 8): (458_594_816, 458_578_432),
    ("XL", 8): (675_683_072, 675_664_640),
    ("XL", 4): (675_074_432, 675_000_704),
    ("XL", 2): (675_129_632, 674_834_720),
}


@pytest.mark.parametrize(("name", "patch"), DIT)
def test_dit_itself_has_as_many_parameters(name: str, patch: int) -> None:
    size = SIZES[name]
    with torch.device("meta"):
        model = DiT(class_conditional(patch, size.depth, size.width, size.heads))
    counts = [parameter.numel() for parameter in model.parameters()]
    trained = [parameter.numel() for parameter in model.parameters() if parameter.requires_grad]
    assert (sum(counts), sum(trained)) == DIT[name, patch]


def class_conditional(patch: int, depth: int, width: int, heads: int) -> DiTParams:
    """The model of Peebles and Xie for latents of 32x32x4 and 1000 classes, which also says its variance."""
    return DiTParams(
        depth=depth,
        width=width,
        heads=heads,
        patch_channels=4 * patch**2,
        out_channels=8 * patch**2,
        qk_norm=False,
        rope=None,
        num_classes=1000,
        fixed_positions=(32 // patch) ** 2,
    )


def test_dit_itself_runs_on_labels() -> None:
    model = awake(class_conditional(8, 2, 48, 3))
    packed = Packed(
        patches_LP=torch.randn(32, 256),
        times_K=torch.tensor([0.2, 0.7]),
        time_index_L=torch.tensor([0] * 16 + [1] * 16),
        video=Segments.of([16, 16]),
        labels_K=torch.tensor([3, 1000]),
    )
    said = model(packed)
    assert said.shape == (32, 512)
    other = model(replace(packed, labels_K=torch.tensor([4, 1000])))
    assert (said - other)[:16].abs().max() > 0
    assert (said - other)[16:].abs().max() == 0


def test_text_stands_before_its_own_video_in_one_sequence() -> None:
    order, video = joint_order(Segments.of([2, 1]), Segments.of([1, 3]))
    # Text tokens are 0 to 3, video tokens 4 to 6.
    assert order.tolist() == [0, 4, 5, 1, 2, 3, 6]
    assert order[video].tolist() == [4, 5, 6]
