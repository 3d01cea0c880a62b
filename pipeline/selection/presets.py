"""Rules to begin with, by name: our own, and what published recipes keep."""

from __future__ import annotations

from collections.abc import Mapping

_DUPLICATE = {"duplicate": "duplicate_of IS NULL"}

PRESETS: Mapping[str, Mapping[str, str]] = {
    # Only what nobody wants, and only scores that need no weights of their own. In this order: a black picture is also
    # still, and a still one frozen. A score that has no meaning for a clip (the motion of a still picture, the edges of
    # a clear sky) drops nothing. Thresholds lie between planted defects and clean shots of the miniature world (worst
    # of each, in that order): black 1.0 and 0.0, slideshow 1.0 and 0.85, frozen 0.53 and 0.0, edges 0.23 and 0.28,
    # shake 0.35 and 0.23; those of text and of darkness were found by eye on real footage.
    "default": dict(
        short="is_image OR duration_s >= 1",
        black="black_frame_ratio <= 0.5",
        dark="luma_mean >= 0.02",
        flat="luma_spread >= 0.01",
        slideshow="is_image OR coalesce(slideshow_ratio, 0) <= 0.92",
        frozen="is_image OR freeze_ratio <= 0.3",
        blurred="coalesce(edge_sharpness, 1) >= 0.25",
        shaky="coalesce(camera_shake, 0) <= 0.29",
        # Before text, as marks are text, too. NULL where too few pictures are seen to tell.
        watermark="coalesce(watermark_score, 0) <= 0.5",
        # A sign in the scene moves with it; a caption stays, and text that runs or changes is large. One picture cannot
        # tell what stays.
        text="coalesce(text_static_ratio, 0) <= 0.015 AND text_area_ratio <= 0.05",
        **_DUPLICATE,
    ),
    # Source: Open-Sora 1.x, docs/data_processing.md and its report: clips of 2 to 15 s, aesthetic score of at least
    # 5.0 (5.5 fair, 6.5 high), captioned text boxes filtered, near-duplicates by CLIP.
    "open_sora": dict(
        length="duration_s BETWEEN 2 AND 15",
        aesthetic="aesthetic >= 5.0",
        text="text_area_ratio <= 0.02",
        **_DUPLICATE,
    ),
    # Source: Open-Sora Plan v1.3 report, data curation: LAION aesthetic of at least 4.75; LPIPS motion within 0.001 to
    # 0.3; text at the edges cropped up to 20 % of the picture. Motion is optical flow here and has another scale, so
    # only its idea is taken: neither still nor wild.
    "open_sora_plan": dict(
        aesthetic="aesthetic >= 4.75",
        motion="motion_mean BETWEEN 0.002 AND 0.6",
        text="text_area_ratio - text_edge_ratio <= 0.02",
        text_edge="text_edge_ratio <= 0.2",
        **_DUPLICATE,
    ),
    # Source: Cosmos (NVIDIA 2025, arXiv:2501.03575), section 3: clips of 2 to 60 s, and reasons to reject of which
    # these can be told from scores: slideshow, text added later, low resolution, blur, abrupt camera motion, fast zoom.
    # Near-duplicates are those of the stage `dedup`.
    "cosmos": dict(
        length="duration_s BETWEEN 2 AND 60",
        slideshow="coalesce(slideshow_ratio, 0) <= 0.5",
        text="text_area_ratio <= 0.05",
        low_resolution="least(crop_width, crop_height) >= 720",
        blurred="coalesce(edge_sharpness, 1) >= 0.25",
        abrupt_camera="coalesce(camera_shake, 0) <= 0.29",
        fast_zoom="abs(coalesce(camera_zoom, 0)) <= 0.5",
        **_DUPLICATE,
    ),
    # Source: Open-Sora 2.0 (Peng et al. 2025, arXiv:2503.09642), section 2: no clips under 2 s, under 16 frames a
    # second, under 0.02 bits a pixel, or of an aspect ratio outside 1/3 to 3.
    "open_sora_2": dict(
        length="duration_s >= 2",
        frame_rate="frame_rate >= 16",
        bits_per_pixel="bits_per_pixel >= 0.02",
        aspect_ratio="aspect_ratio BETWEEN 0.33333333 AND 3",
        **_DUPLICATE,
    ),
}
"""Every preset by its name: its rules in order, what each is called and what a kept clip fulfils."""
