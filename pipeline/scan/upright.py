"""Preview pictures as a person sees the video: flipped, with square samples, and turned."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.media.orientation import turned
from schemas.video import Probe


def upright(jpeg: bytes, probe: Probe, quality: int) -> bytes:
    """A picture as decoded, turned into the displayed one; the very same bytes where nothing is to do.

    Only the few pictures that are kept come here, so that frames need not be turned while they are measured. The height
    is kept and the width takes the shape of the samples, as `videos.width` and `videos.height` do.

    Args:
        jpeg: The decoded picture.
        probe: How its video is displayed.
        quality: JPEG quality of what is made anew.
    """
    if probe.rotation_deg == 0 and not probe.is_mirrored and probe.sample_aspect == 1:
        return jpeg
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "we have just written it"
    if probe.is_mirrored:
        picture = cv2.flip(picture, 1)
    if probe.sample_aspect != 1:
        height, width = picture.shape[:2]
        wide = max(1, round(width * probe.sample_aspect))
        picture = cv2.resize(picture, (wide, height), interpolation=cv2.INTER_AREA)
    shown = turned(np.asarray(picture, np.uint8), probe.rotation_deg)
    _, encoded = cv2.imencode(".jpg", shown, [int(cv2.IMWRITE_JPEG_QUALITY), quality])
    return encoded.tobytes()
