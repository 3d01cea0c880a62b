from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from trainer.model.attention import Segments, attend


@pytest.mark.parametrize(
    ("queries", "keys"),
    [
        pytest.param([3, 5, 1], [3, 5, 1], id="itself"),
        pytest.param([4, 4, 4, 2], [2, 2, 7, 7], id="text, some of equal lengths"),
        pytest.param([6], [1], id="one key"),
    ],
)
def test_each_sample_attends_to_its_own_keys_alone(queries: list[int], keys: list[int]) -> None:
    q, k, v = torch.randn(sum(queries), 2, 8), torch.randn(sum(keys), 2, 8), torch.randn(sum(keys), 2, 8)
    own = torch.block_diag(*(torch.ones(a, b) for a, b in zip(queries, keys, strict=True))).bool()
    expected = scaled_dot_product_attention(*(x.transpose(0, 1) for x in (q, k, v)), attn_mask=own).transpose(0, 1)
    found = attend(q, k, v, Segments.of(queries), Segments.of(keys))
    assert torch.allclose(found, expected, atol=1e-5)


def test_segments_tell_where_samples_begin() -> None:
    segments = Segments.of([3, 1, 2])
    assert segments.starts_S.tolist() == [0, 3, 4, 6]
    assert segments.starts_S.dtype == torch.int32


@pytest.mark.parametrize(
    ("queries", "keys"),
    [
        ([3, 5, 1], [3, 5, 1]),
        ([40, 40, 7], [40, 40, 7]),
        ([40, 40, 7], [3, 9, 1]),
        ([300, 300], [300, 300]),
        ([300, 300], [20, 4]),
        ([1100, 1100, 9], [5, 7, 7]),
    ],
)
def test_half_precision_on_a_cpu_gives_nearly_the_same(queries: list[int], keys: list[int]) -> None:
    q, k, v = (torch.randn(sum(lengths), 2, 16, requires_grad=True) for lengths in (queries, keys, keys))
    half = [x.detach().bfloat16().requires_grad_() for x in (q, k, v)]
    one, other = Segments.of(queries), Segments.of(keys)
    expected, found = attend(q, k, v, one, other), attend(*half, one, other)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), expected, atol=3e-2)
    slope = torch.randn_like(expected)
    expected.backward(slope)
    found.backward(slope.bfloat16())
    for exact, rounded in zip((q, k, v), half, strict=True):
        assert exact.grad is not None
        assert rounded.grad is not None
        assert (rounded.grad.float() - exact.grad).norm() < 0.02 * exact.grad.norm()


@pytest.mark.gpu
@pytest.mark.parametrize("queries", [[3, 5, 1], [128, 7, 300]])
def test_the_kernel_on_a_gpu_gives_the_same(queries: list[int]) -> None:
    q, k, v = torch.randn(3, sum(queries), 2, 64, device="cuda")
    segments = Segments.of(queries, "cuda")
    expected = attend(q, k, v, segments, segments)
    found = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), segments, segments)
    assert torch.allclose(found.float(), expected, atol=3e-2)
