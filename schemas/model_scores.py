"""The scores that scorers give a clip: the columns of each scorer's table, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

_FLOAT = pa.float64()
_INT = pa.int64()


def _score(name: str, meaning: str, of: pa.DataType = _FLOAT) -> pa.Field:
    return pa.field(name, of, metadata={"doc": meaning})


MODEL_SCORES: Mapping[str, tuple[pa.Field, ...]] = {
    "text_area": (
        _score("text_area_ratio", "Mean share of the picture under text, 0 to 1."),
        _score("text_edge_ratio", "Mean share of the picture that is text within a fifth of its sides, 0 to 1."),
        _score("text_static_ratio", "Share of the picture under text that stays over time; null for one picture."),
        _score("num_text_boxes", "Mean number of lines of text.", _FLOAT),
    ),
    "embedding": (
        # Delta has no 16-bit floats. Rounded to float16 the values compress to the same two bytes.
        _score(
            "embedding",
            "Mean of the pictures' embeddings, of unit length; each value is one of float16.",
            pa.list_(pa.float32()),
        ),
    ),
    "aesthetic": (_score("aesthetic", "How pleasing people find it, about 1 to 10; a linear head on the embedding."),),
    "safety": (
        _score("nudity_score", "Highest confidence that a picture shows exposed skin of a sexual kind, 0 to 1."),
        _score("blocklist_similarity", "Highest cosine with an embedding of the blocklist, -1 to 1."),
    ),
    "watermark": (
        _score(
            "watermark_score",
            "How sure it is that a mark lies over the picture, 0 to 1; null where too few views tell.",
        ),
    ),
    "faces": (
        _score("num_faces", "Most faces in one picture.", _INT),
        _score("face_area_ratio", "Mean share of the picture under faces, 0 to 1."),
    ),
    "alignment": (_score("alignment", "Cosine of the original caption's embedding and the clip's, -1 to 1."),),
}
"""Columns by scorer; each table also has `clip_id` and `video_id`."""
