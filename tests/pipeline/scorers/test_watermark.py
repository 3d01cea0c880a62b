from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.scorers import ClipView
from pipeline.scorers.persistence import distinct, overlay_of
from pipeline.scorers.watermark import Watermark, WatermarkConfig, certainty, read_head
from schemas import ConfigError, MediaError, load_config

SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_a_mark_over_changing_views_is_found(views: Any, lettered: Any, seed: int, alpha: float) -> None:
    marked = [lettered(view, "LIVE tv", 350, 60, 1.0, alpha) for view in views(5, seed)]
    found = certainty(marked)
    assert found is not None
    assert found > 0.5


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [3, 5, 8])
def test_changing_views_without_a_mark_have_none(views: Any, seed: int, count: int) -> None:
    found = certainty(views(count, seed))
    assert found is not None
    assert found < 0.3


def test_nothing_is_said_of_a_scene_that_stands_still(scene: Any, lettered: Any) -> None:
    still = scene(1)
    noise = np.random.default_rng(0)
    pictures = [np.clip(still + noise.normal(0, 3, still.shape), 0, 255).astype(np.uint8) for _ in range(6)]
    assert certainty(pictures) is None
    assert certainty([lettered(picture, "LIVE", 350, 60, 1.0) for picture in pictures]) is None


def test_nothing_is_said_of_fewer_than_three_views(views: Any) -> None:
    two = views(2)
    assert certainty([]) is None
    assert certainty(two) is None
    assert certainty([two[0], two[0], two[1], two[1], two[0]]) is None


def test_words_that_change_are_no_mark(views: Any, lettered: Any) -> None:
    lines = ["Wait for me!", "It was here", "Nobody told", "Turn back now", "Where to?"]
    places = range(40, 165, 25)
    pictures = [lettered(*one, 250, 1.0) for one in zip(views(5), lines, places, strict=True)]
    found = certainty(pictures)
    assert found is not None
    assert found < 0.5


def test_pictures_of_one_plain_colour_are_no_views(views: Any) -> None:
    black = np.zeros((288, 512, 3), np.uint8)
    assert len(distinct([black, *views(3), black])) == 3


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (40, 3)])
def test_pictures_of_any_size_are_judged_or_not_but_do_no_harm(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    found = certainty([rng.integers(0, 255, (*size, 3)).astype(np.uint8) for _ in range(4)])
    assert found is None or 0 <= found <= 1


def head(path: Path, weight: Sequence[Sequence[float]], bias: Sequence[float]) -> Path:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    save_file({"weight": torch.tensor(weight), "bias": torch.tensor(bias)}, path)
    return path


def test_a_head_gives_the_logistic_of_its_line(tmp_path: Path) -> None:
    path = head(tmp_path / "head.safetensors", [[2.0, -1.0, 0.0]], [0.5])
    scorer = Watermark(WatermarkConfig(method="head", weights=str(path)))
    assert scorer.needs == {"embedding"}
    assert scorer.models().keys() == {"watermark"}
    scorer.setup()
    embedding = np.array([0.6, 0.8, 0.0], np.float32)
    clips = [ClipView(clip_id="a", embedding=embedding), ClipView(clip_id="b", embedding=-100 * embedding)]
    first, second = (row["watermark_score"] for row in scorer.score(clips))
    assert first == pytest.approx(1 / (1 + np.exp(-0.9)), abs=1e-6)
    assert second == pytest.approx(0, abs=1e-9)
    with pytest.raises(MediaError, match="2 numbers, the head of watermark wants 3"):
        scorer.score([ClipView(clip_id="c", embedding=embedding[:2])])


def test_a_file_that_is_no_head_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"watermark\.weights.*none"):
        read_head(tmp_path / "none.safetensors")
    wide = head(tmp_path / "wide.safetensors", [[1.0], [2.0]], [0.0, 0.0])
    with pytest.raises(ConfigError, match=r"wide\.safetensors must hold `weight`"):
        read_head(wide)


@pytest.mark.parametrize("values", ["method=head", "weights=head.safetensors"])
def test_a_head_and_its_weights_go_together(values: str) -> None:
    with pytest.raises(ConfigError, match="weights"):
        load_config(WatermarkConfig, None, [values])


def test_the_same_pictures_give_the_same_score(views: Callable[..., Any], lettered: Any) -> None:
    marked = [lettered(view, "NEWS", 20, 60, 1.0, 0.6) for view in views(4)]
    scorer = Watermark(WatermarkConfig())
    scorer.setup()
    clips = [ClipView(clip_id=name, pictures=marked) for name in "ab"]
    assert scorer.score(clips)[0] == scorer.score(clips[:1])[0] == scorer.score(clips)[1]


def test_what_all_pictures_have_in_common_is_rebuilt_without_the_film(views: Any, lettered: Any) -> None:
    overlay = overlay_of([lettered(view, "STOCKLY", 150, 150, 1.5, 0.4) for view in views(3)], (512, 288))
    ink = lettered(np.zeros((288, 512, 3), np.uint8), "STOCKLY", 150, 150, 1.5)[..., 0] > 128
    assert overlay.picture[ink].mean() > 15
    assert overlay.picture[~ink].std() < 0.2 * overlay.picture[ink].mean()
    assert overlay.standing < 0.3


@pytest.fixture(scope="module")
def scorer() -> Watermark:
    pytest.importorskip("rapidocr")
    made = Watermark(WatermarkConfig())
    made.setup()
    return made


@pytest.mark.parametrize(
    ("text", "x", "y", "scale", "alpha", "is_mark"),
    [
        pytest.param("NORDFILM", 20, 35, 0.8, 0.6, True, id="in a corner"),
        pytest.param("STOCKLY", 110, 165, 2.2, 0.4, True, id="large and half-transparent"),
        pytest.param("Wait for me, I need a minute", 70, 270, 0.7, 1.0, False, id="a subtitle"),
        pytest.param("WAIT FOR IT", 110, 165, 1.3, 1.0, False, id="opaque words"),
    ],
)
def test_two_pictures_tell_a_mark_from_a_caption(
    scorer: Watermark, views: Any, lettered: Any, text: str, x: int, y: int, scale: float, alpha: float, is_mark: bool
) -> None:
    pictures = [lettered(view, text, x, y, scale, alpha) for view in views(2)]
    score = scorer.score([ClipView(clip_id="c", pictures=pictures)])[0]["watermark_score"]
    assert ((score or 0.0) > 0.5) == is_mark  # type: ignore[operator]


def test_lettering_over_a_film_that_stands_still_may_be_a_sign(scorer: Watermark, scene: Any, lettered: Any) -> None:
    pictures = [lettered(scene(1), "NORDFILM", 20, 35, 0.8)] * 2
    assert scorer.score([ClipView(clip_id="c", pictures=pictures)])[0]["watermark_score"] == 0
