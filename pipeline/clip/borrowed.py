"""All that is taken from open_clip, imported in the one order that works beside a CPU build of torch.

Import this inside functions only: it brings torch with it.
"""

from __future__ import annotations

import pipeline.media.torchvision_cpu  # noqa: F401  # isort: skip

from open_clip import (
    CLIP,
    CoCa,
    CustomTextCLIP,
    get_model_config,
    get_tokenizer,
    list_models,
    list_pretrained_tags_by_model,
)
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
from open_clip.convert import convert_state_dict
from open_clip.loss import ClipLoss
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf, get_pretrained_cfg
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

__all__ = [
    "CLIP",
    "HF_SAFE_WEIGHTS_NAME",
    "HF_WEIGHTS_NAME",
    "ClipLoss",
    "CoCa",
    "CustomTextCLIP",
    "HFTokenizer",
    "PreprocessCfg",
    "SimpleTokenizer",
    "convert_state_dict",
    "convert_to_custom_text_state_dict",
    "download_pretrained",
    "download_pretrained_from_hf",
    "get_model_config",
    "get_pretrained_cfg",
    "get_tokenizer",
    "image_transform_v2",
    "list_models",
    "list_pretrained_tags_by_model",
    "merge_preprocess_dict",
]
