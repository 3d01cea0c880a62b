from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.scorers import ClipView
from pipeline.scorers.text_area import TextArea, TextAreaConfig, at_edge, static_text
from pipeline.scorers.text_boxes import TextBox, boxes_of, input_size, union_mask


def box(x: float, y: float, width: float, height: float) -> TextBox:
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)
    return TextBox(corners, height, width, 0.0, 1.0)


@pytest.fixture(scope="module")
def scorer() -> TextArea:
    pytest.importorskip("rapidocr")
    made = TextArea(TextAreaConfig(max_side_px=320))
    made.setup()
    return made


def judged(scorer: TextArea, pictures: list[Any]) -> dict[str, Any]:
    return dict(scorer.score([ClipView(clip_id="c", pictures=pictures)])[0])


def test_a_subtitle_is_measured_where_it_is(scorer: TextArea, scene: Any, lettered: Any) -> None:
    plain = judged(scorer, [scene(3)])
    assert plain == {"text_area_ratio": 0, "text_edge_ratio": 0, "text_static_ratio": None, "num_text_boxes": 0}
    (width, height), _ = cv2.getTextSize("It was here a moment ago", cv2.FONT_HERSHEY_DUPLEX, 0.8, 2)
    found = judged(scorer, [lettered(scene(3), "It was here a moment ago", 90, 270, 0.8)])
    ink = width * height / (288 * 512)
    assert ink < found["text_area_ratio"] < 4 * ink
    assert found["text_edge_ratio"] == pytest.approx(found["text_area_ratio"])
    assert 1 <= found["num_text_boxes"] <= 2


def test_what_stays_is_static_and_what_changes_is_not(scorer: TextArea, views: Any, lettered: Any) -> None:
    same = judged(scorer, [lettered(view, "SAMPLE NEWS", 150, 150, 1.0) for view in views(2)])
    assert same["text_static_ratio"] == pytest.approx(same["text_area_ratio"], rel=0.3)
    assert same["text_edge_ratio"] < 0.2 * same["text_area_ratio"]
    lines = ["Wait for me!", "Nobody told"]
    other = judged(scorer, [lettered(view, line, 150, 150, 1.0) for view, line in zip(views(2), lines, strict=True)])
    assert other["text_area_ratio"] > 0.02
    assert other["text_static_ratio"] == 0


def test_a_picture_without_text_is_not_one_line_of_it(scorer: TextArea) -> None:
    # The network takes a plain picture for one huge line.
    red = np.zeros((240, 320, 3), np.uint8)
    red[..., 0] = 250
    assert judged(scorer, [red])["text_area_ratio"] == 0


@pytest.mark.parametrize("size", [(1, 1), (4, 900), (700, 16)])
def test_pictures_of_any_shape_are_judged(scorer: TextArea, size: tuple[int, int]) -> None:
    assert judged(scorer, [np.full((*size, 3), 90, np.uint8)])["num_text_boxes"] >= 0


def test_the_network_is_named_by_its_content(scorer: TextArea) -> None:
    ((name, digest),) = scorer.models().items()
    assert name.endswith(".onnx")
    assert len(digest) >= 32


def test_overlapping_boxes_count_once() -> None:
    mask = union_mask([box(0, 0, 19, 9), box(10, 0, 19, 9), box(-50, -50, 5, 5)], (20, 40))
    assert int(mask.sum()) == 30 * 10


def test_only_text_within_a_fifth_of_the_sides_is_at_the_edge() -> None:
    mask = np.zeros((100, 200), np.uint8)
    mask[:20], mask[40:60, 40:160] = 1, 1
    assert at_edge(mask) == pytest.approx(20 * 200 / 20_000)


def test_the_size_for_the_network_keeps_the_shape_and_its_grid() -> None:
    assert input_size(1920, 1080, 512) == (512, 288)
    assert input_size(100, 60, 512) == (192, 128)
    assert input_size(4000, 10, 512) == (512, 32)


def answer(*boxes: tuple[int, int, int, int, float]) -> Any:
    probabilities = np.zeros((288, 512), np.float32)
    for x, y, width, height, value in boxes:
        probabilities[y : y + height, x : x + width] = value
    return probabilities


def found(probabilities: Any) -> list[TextBox]:
    return list(boxes_of(probabilities, min_confidence=0.6, min_height_px=6))


def test_a_line_reaches_beyond_its_core_by_the_formula() -> None:
    (line,) = found(answer((100, 100, 120, 12, 0.9)))
    # Contours run through the middles of pixels and the core is widened by one.
    width, height = 120, 12
    grow = 2 * 1.6 * width * height / (2 * (width + height))
    assert line.height_px == pytest.approx(height + grow, abs=2)
    assert np.ptp(line.corners[:, 0]) == pytest.approx(width + grow, abs=3)
    assert line.confidence == pytest.approx(0.9, abs=0.1)


def test_what_is_unsure_too_low_or_too_high_is_no_line() -> None:
    assert found(answer((100, 100, 120, 12, 0.5))) == []
    assert found(answer((100, 100, 120, 1, 0.9))) == []
    assert found(answer((60, 60, 380, 150, 0.99))) == []


def test_one_missed_picture_of_three_does_not_hide_a_static_text(views: Any, lettered: Any) -> None:
    pictures = [lettered(view, "SAMPLE NEWS", 150, 150, 1.0) for view in views(3)]
    here = union_mask([box(145, 120, 220, 40)], (288, 512))
    static = static_text([here, np.zeros_like(here), here], pictures, 512)
    assert int(static.sum()) == int(here.sum())
    assert int(static_text([here, np.zeros_like(here), np.zeros_like(here)], pictures, 512).sum()) == 0


def test_a_line_runs_through_its_band_and_so_the_band_is_static(views: Any) -> None:
    band = np.zeros((288, 512), np.uint8)
    band[250:280, :] = 1
    places = [band.copy(), band.copy()]
    places[0][250:280, :10] = 0
    assert static_text(places, views(2), 512).mean() == pytest.approx(band.mean(), rel=0.05)
    moved = [np.zeros_like(band), np.zeros_like(band)]
    moved[0][100:130, 50:400], moved[1][140:170, 50:400] = 1, 1
    assert not static_text(moved, views(2), 512).any()


def test_a_high_line_is_none_unless_it_is_long() -> None:
    def lines(width: int) -> int:
        probabilities = np.zeros((288, 512), np.float32)
        probabilities[100:130, 20 : 20 + width] = 0.9
        return len(list(boxes_of(probabilities, min_confidence=0.6, min_height_px=4)))

    assert lines(400) == 1
    assert lines(80) == 0
