from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from infra.evaluate.judging import MADE, Row
from infra.evaluate.sheet import ranked, strip, write_pages


def row(film: str, score: float, prompt: str = "a prompt", aspect: str = "color") -> Row:
    return Row(
        source=MADE,
        film=film,
        prompt=prompt,
        aspect=aspect,
        score=score,
        asked="red",
        seen="<blue>",
        group="",
        width=64,
        height=36,
        ratio="16:9",
        num_frames=9,
    )


def frames(name: str) -> np.ndarray:
    return np.full((9, 36, 64, 3), 40 * len(name), np.uint8)


def test_videos_are_ranked_by_what_their_prompts_ask_for() -> None:
    rows = [row("a", 0), row("b", 1), row("a", 1, aspect="shape"), row("b", 0, aspect="steady color")]
    assert [(name, score) for name, score, _ in ranked(rows)] == [("b", 1), ("a", 0.5)]


def test_a_strip_shows_first_and_last_frame() -> None:
    shown = np.arange(9, dtype=np.uint8)[:, None, None, None] * np.ones((1, 60, 60, 3), np.uint8)
    picture = strip(shown)
    assert picture.shape == (120, 600, 3)
    assert (picture[0, 0, 0], picture[0, -1, 0]) == (0, 8)


def test_the_page_shows_best_and_worst_and_no_markup_of_a_prompt(tmp_path: Path) -> None:
    rows = [row(f"{k:04}", k / 9, prompt="<script>alert(1)</script>") for k in range(10)]
    write_pages(tmp_path, ["a table"], rows, frames, num=2)
    page = (tmp_path / "index.html").read_text()
    assert page.count("<figure>") == 4
    assert "<script>" not in page
    assert "seen: &lt;blue&gt;" in page
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (4 * 140, 1080, 3)
