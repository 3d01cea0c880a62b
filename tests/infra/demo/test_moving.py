from __future__ import annotations

from pathlib import Path

import av
import pytest

from infra.demo.moving import LENGTHS, RATE, SIZES, draw_moving, make_moving


def sizes_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Width, height and number of frames of each film."""
    found = {}
    for path in sorted(folder.glob("*.mp4")):
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
        found[path.stem] = (frames[0].width, frames[0].height, len(frames))
    return found


def test_films_have_captions_and_their_native_sizes_and_lengths(tmp_path: Path) -> None:
    make_moving(tmp_path, 5, 3, "single")
    for number in (5, 6, 7):
        scene, size, text = draw_moving(number, "single")
        length = scene.duration_s * RATE
        assert size in SIZES
        assert length in [pytest.approx(one) for one in LENGTHS]
        assert sizes_of(tmp_path)[f"moving_{number:08}"] == (*size, pytest.approx(length))
        assert (tmp_path / f"moving_{number:08}.txt").read_text() == text


def test_squares_are_the_middles_of_the_same_films(tmp_path: Path) -> None:
    make_moving(tmp_path / "native", 5, 3)
    make_moving(tmp_path / "square", 5, 3, is_square=True)
    native, square = sizes_of(tmp_path / "native"), sizes_of(tmp_path / "square")
    assert [(min(w, h), min(w, h), n) for w, h, n in native.values()] == list(square.values())
    texts = [[path.read_text() for path in sorted(tmp_path.glob(f"{kind}/*.txt"))] for kind in ("native", "square")]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("seed", range(0, 60, 7))
def test_a_single_scene_has_one_object_of_some_size_before_a_camera_at_rest(seed: int) -> None:
    scene, _, _ = draw_moving(seed, "single")
    assert len(scene.things) == 1
    assert scene.things[0].size in ("medium", "large")
    assert (scene.camera.name, scene.event) == ("static", "none")


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    make_moving(tmp_path, 5, 1)
    (film,) = tmp_path.glob("*.mp4")
    film.write_bytes(b"kept")
    make_moving(tmp_path, 5, 2)
    assert film.read_bytes() == b"kept"
    assert len(list(tmp_path.glob("*.mp4"))) == 2
