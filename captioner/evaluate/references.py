"""Captions against reference captions, by the measures of the field (library pycocoevalcap)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORD = re.compile(r"[\w']+")


def reference_scores(references: Mapping[str, Sequence[str]], texts: Mapping[str, str]) -> dict[str, float]:
    """BLEU-4 in [0, 1] and CIDEr-D in [0, 10] over the clips that have both.

    Words are taken as runs of letters and digits in small letters: the library's own tokenizer needs Java.

    Args:
        references: By clip id, each at least one.
        texts: Captions by clip id.

    Returns:
        `bleu_4` and `cider`; empty without a clip that has both.

    Source: Papineni et al. 2002 (BLEU); Vedantam et al. 2015 (CIDEr-D, sigma 6, n up to 4).
    """
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider

    both = sorted(clip_id for clip_id, known in references.items() if known and clip_id in texts)
    if not both:
        return {}
    true = {clip_id: [_words(text) for text in references[clip_id]] for clip_id in both}
    said = {clip_id: [_words(texts[clip_id])] for clip_id in both}
    bleu, _ = Bleu(4).compute_score(true, said, verbose=0)
    cider, _ = Cider().compute_score(true, said)
    return {"bleu_4": float(bleu[3]), "cider": float(cider)}


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))
