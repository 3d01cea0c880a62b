"""Where the words after a video stand: a mistake of transformers, mended on a loaded model.

Qwen2-VL and Qwen2.5-VL give each token a place in time, height and width, and what follows a video begins behind the
largest of them. transformers (5.3, and still 5.19) looks at height and width alone, so that behind a video that
is longer than wide, in tokens, words stand in the middle of its frames. vLLM and the models' authors do not: a model
trained with the one would be asked with the other.

Source: get_rope_index in modeling_qwen2_5_vl.py of huggingface/transformers at 4.49 (`llm_pos_ids_list[-1].max() + 1`),
and get_mrope_input_positions in qwen2_5_vl.py of vllm-project/vllm.
"""

from __future__ import annotations

from typing import Any

_CONCERNED = ("qwen2_vl", "qwen2_5_vl")
_VIDEO = 2
"""What a processor calls a token of a video."""


def mend_positions(model: Any) -> None:
    """Have a loaded model place what follows a video behind it; nothing changes for models that do so already."""
    if model.config.model_type not in _CONCERNED:
        return
    inner = model.model
    theirs = inner.get_rope_index

    def get_rope_index(input_ids: Any, mm_token_type_ids: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        positions, deltas = theirs(input_ids, mm_token_type_ids, *args, **kwargs)
        mask = kwargs.get("attention_mask")
        for row, kinds in enumerate(mm_token_type_ids):
            seen = mask[row].nonzero()[:, 0] if mask is not None else kinds.new_ones(len(kinds)).nonzero()[:, 0]
            own = positions[:, row, seen]
            is_video = kinds[seen] == _VIDEO
            for end in (is_video[:-1] & ~is_video[1:]).nonzero()[:, 0].tolist():
                own[:, end + 1 :] += own[:, : end + 1].max() + 1 - own[:, end + 1].max()
            positions[:, row, seen] = own
            deltas[row] = own.max() + 1 - len(seen)
        return positions, deltas

    inner.get_rope_index = get_rope_index
