from pathlib import Path
from typing import Any

import pytest

from captioner.finetune.segments import batch_segments


@pytest.mark.parametrize(
    ("sizes", "whole"),
    [
        pytest.param([(3, 6, 8), (3, 6, 8)], True, id="one size, whole pictures"),
        pytest.param([(3, 6, 8), (2, 10, 4)], True, id="two sizes"),
        pytest.param([(3, 10, 12), (1, 8, 8)], False, id="windows of many lengths"),
    ],
)
def test_windows_together_give_the_numbers_and_gradients_of_windows_apart(
    tiny_model: Path, sizes: list[tuple[int, int, int]], whole: bool
) -> None:
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    def run(batched: bool) -> tuple[Any, Any]:
        read: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained
        model = read(tiny_model, dtype="float32")
        visual = model.model.visual
        visual.fullatt_block_indexes = [0, 1] if whole else [1]
        if batched:
            batch_segments(model)
        torch.manual_seed(0)
        patches = torch.randn(sum(t * h * w for t, h, w in sizes), 3 * 2 * 14 * 14)
        out = visual(patches, grid_thw=torch.tensor(sizes)).pooler_output
        (out**2).mean().backward()
        return out.detach(), visual.patch_embed.proj.weight.grad

    for apart, together in zip(run(False), run(True), strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)
