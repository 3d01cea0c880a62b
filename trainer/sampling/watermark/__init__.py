"""The invisible watermark of every output, and its detector, which needs no original.

In natural pictures it is not seen; on flat drawn surfaces a keen eye finds faint clouds. It survives H.264, resizing of
the whole picture, trimming, other frame rates, and moderate changes of brightness and contrast, where the shorter side
has at least 256 pixels before it is halved; nothing is guaranteed below that. It does not survive cutting the picture's
edges off, turning or mirroring it, and says nothing of who made a file: whoever has the key can put it in, and, with
effort, take it out. `python -m infra.bench --only watermark` prints how often it is found, and how strong it is.
"""

from __future__ import annotations

from trainer.sampling.watermark.carrier import grids_of
from trainer.sampling.watermark.detection import MOST_CHANCE, Evidence, look_for_mark
from trainer.sampling.watermark.embedding import mark

__all__ = ["MOST_CHANCE", "Evidence", "grids_of", "look_for_mark", "mark"]
