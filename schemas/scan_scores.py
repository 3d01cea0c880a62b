"""The cheap scores that the scan gives each clip: one record, which is also the columns of the table `scores/scan`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any


def _score(meaning: str) -> Any:
    """A score with what it means, its unit and its range: pages and tables show it beside the number."""
    return field(metadata={"doc": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanScores:
    """The scores of one clip; None where one has no meaning. Areas are shares of the picture within the clip's crop."""

    motion_mean: float | None = _score(
        "Mean speed of the picture's textured points, in longer sides of the picture a second, from 0. Optical "
        "flow (DIS) of five pairs a second. None for a single picture."
    )
    camera_motion: float | None = _score(
        "Mean speed of the camera's pan and tilt, in longer sides a second, from 0: the median flow of textured points."
    )
    camera_zoom: float | None = _score(
        "Mean growth of the picture a second (0.1: ten per cent; negative: zoom out), by least squares on the flow."
    )
    camera_shake: float | None = _score(
        "Root mean square of the change of the camera's velocity from one pair to the next, in longer sides a "
        "second, from 0: a steady pan has none."
    )
    moving_area_ratio: float | None = _score(
        "Mean share of the picture that moves against the camera (pan, zoom and roll taken off), 0 to 1."
    )
    sharpness: float | None = _score(
        "Root of the variance of the Laplacian of the preview's luma, in levels, from 0; median of the looks. At the "
        "size of the preview, so that sizes compare. Source: Pech-Pacheco et al. 2000, Diatom autofocusing, LAPV."
    )
    edge_sharpness: float | None = _score(
        "Slope over step of the steepest of the picture's main edges, 0 (out of focus) to about 0.5 (one pixel wide), "
        "whatever the contrast; median of the looks, at the size of the preview. None where there is no edge."
    )
    luma_mean: float | None = _score("Mean luma as displayed (HDR tone-mapped), 0 to 1.")
    luma_spread: float | None = _score("Standard deviation of luma over the picture, 0 to 0.5; mean of the looks.")
    dark_area_ratio: float | None = _score("Mean share of the picture that is darker than a tenth of white, 0 to 1.")
    bright_area_ratio: float | None = _score("Mean share of the picture that is brighter than 94 % of white, 0 to 1.")
    saturation_mean: float | None = _score("Mean of the largest less the smallest of R, G and B, 0 (grey) to 1.")
    black_frame_ratio: float = _score(
        "Share of the clip's time in which the picture is black (98 % of it under 8 % of white), 0 to 1."
    )
    freeze_ratio: float = _score(
        "Share of the clip's time in which one picture stands for half a second or more, 0 to 1."
    )
    slideshow_ratio: float | None = _score(
        "Share of the clip's seconds within which nothing visible changes, compression noise aside, 0 to 1."
    )
    duplicate_frame_ratio: float = _score(
        "Share of frames that repeat the one before, but for frozen pictures, 0 to 1 (0.2 for film at 30 a second)."
    )
    frame_interval_variation: float = _score(
        "Standard deviation of the time between frames over its mean, from 0 (constant frame rate)."
    )
    combing_ratio: float | None = _score(
        "Mean share of pixels that stand out from the rows above and below as woven fields do: over about 0.02 "
        "where motion is interlaced. Band of native columns; test of FFmpeg's `fieldmatch`."
    )
    border_area_ratio: float = _score("Share of the stored picture that the crop takes off, 0 to 1.")

    def to_row(self) -> dict[str, float | None]:
        """The columns; what is not finite becomes None."""
        return {name: None if v is None or not math.isfinite(v) else float(v) for name, v in asdict(self).items()}
