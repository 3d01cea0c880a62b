"""Qwen2.5-VL's tower that sees, with the windows of equal length attended to together.

transformers calls attention once for every window of every frame, in Python: of a small model that is most of the time.
The numbers are the same.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

_CONCERNED = ("qwen2_5_vl",)


def batch_segments(model: Any) -> None:
    """Have a loaded model attend to all windows of one length at once; other models stay as they are."""
    if model.config.model_type in _CONCERNED:
        for block in model.model.visual.blocks:
            block.attn.forward = MethodType(_attend, block.attn)


def _attend(self: Any, hidden_states: Any, cu_seqlens: Any, position_embeddings: Any, **_: Any) -> Any:
    # L patches, N heads, H head width, S windows of one length, K patches of each
    import torch
    from torch.nn.functional import scaled_dot_product_attention
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision

    num_patches = hidden_states.shape[0]
    q_LNH, k_LNH, v_LNH = self.qkv(hidden_states).reshape(num_patches, 3, self.num_heads, -1).unbind(1)
    q_LNH, k_LNH = apply_rotary_pos_emb_vision(q_LNH, k_LNH, *position_embeddings)
    lengths = cu_seqlens.diff()
    if bool((lengths == lengths[0]).all()):
        q_SNKH, k_SNKH, v_SNKH = (
            x_LNH.unflatten(0, (len(lengths), -1)).transpose(1, 2) for x_LNH in (q_LNH, k_LNH, v_LNH)
        )
        attended = scaled_dot_product_attention(q_SNKH, k_SNKH, v_SNKH, scale=self.scaling)
        return self.proj(attended.transpose(1, 2).reshape(num_patches, -1))
    out_LNH = torch.empty_like(q_LNH)
    for length in lengths.unique().tolist():
        starts = cu_seqlens[:-1][lengths == length]
        index_SK = starts[:, None] + torch.arange(length, device=starts.device)
        q_SNKH, k_SNKH, v_SNKH = (x_LNH[index_SK].transpose(1, 2) for x_LNH in (q_LNH, k_LNH, v_LNH))
        attended = scaled_dot_product_attention(q_SNKH, k_SNKH, v_SNKH, scale=self.scaling)
        out_LNH = out_LNH.index_put((index_SK,), attended.transpose(1, 2))
    return self.proj(out_LNH.reshape(num_patches, -1))
