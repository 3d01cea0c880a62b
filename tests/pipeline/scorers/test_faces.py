from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.scorers import ClipView
from pipeline.scorers.face_boxes import YunetDetector
from pipeline.scorers.face_cascade import FaceCascade, moved, scales, square, suppress
from pipeline.scorers.faces import Faces, FacesConfig, covered, missing
from pipeline.scorers.text_area import TextArea, TextAreaConfig
from schemas import ConfigError

if find_spec("facenet_pytorch") is None:
    pytest.skip("facenet-pytorch is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def faces() -> Faces:
    made = Faces(FacesConfig())
    made.setup()
    return made


def frames(path: Path, *at_s: float) -> list[Any]:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = []
        for second in at_s:
            container.seek(int(second / stream.time_base), stream=stream)
            found.append(next(container.decode(stream)).to_ndarray(format="rgb24"))
    return found


def test_a_portrait_is_one_face_and_a_room_is_none(faces: Faces, shared_footage: Path) -> None:
    portraits = frames(shared_footage / "wpt_faces.mov", 0.5, 2.5)
    room = frames(shared_footage / "intel_bottle-detection.mp4", 1)
    first, second = faces.score([ClipView(clip_id="p", pictures=portraits), ClipView(clip_id="r", pictures=room)])
    assert first["num_faces"] == 1
    assert 0.005 < float(str(first["face_area_ratio"])) < 0.2
    assert second == {"num_faces": 0, "face_area_ratio": 0.0}


def test_noise_and_plain_pictures_of_any_shape_have_no_faces(faces: Faces) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 700), (20, 20), (96, 128)):
        noise = rng.integers(0, 255, (*shape, 3)).astype(np.uint8)
        (row,) = faces.score([ClipView(clip_id="c", pictures=[noise, np.full_like(noise, 200)])])
        assert row == {"num_faces": 0, "face_area_ratio": 0.0}


def test_boxes_are_those_of_the_reference(shared_footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipeline.media.torchvision_cpu import non_maximum_suppression

    cascade = FaceCascade()
    from facenet_pytorch.models.utils import detect_face as reference

    # Of one picture, so that boxes of different pictures cannot meet.
    monkeypatch.setattr(reference, "batched_nms", lambda b, s, i, t: non_maximum_suppression(b, s, t))
    (picture,) = frames(shared_footage / "wpt_faces.mov", 1.5)
    with torch.inference_mode():
        wanted, _ = reference.detect_face(picture, 40, *cascade._networks, [0.6, 0.7, 0.7], 0.709, torch.device("cpu"))
    expected = np.asarray(wanted[0], np.float64)
    found = cascade(picture, 40)
    assert len(found) == len(expected) >= 1
    assert found[np.argsort(-found[:, 4])] == pytest.approx(expected[np.argsort(-expected[:, 4])], abs=0.5)


def test_weights_are_named_by_their_content_and_the_package_by_what_lacks() -> None:
    assert missing(FacesConfig()) == ""
    assert set(Faces(FacesConfig()).models()) == {"pnet.pt", "rnet.pt", "onet.pt"}


def test_a_model_file_that_is_missing_or_no_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"faces\.weights: .*yunet\.onnx: there is no such file"):
        Faces(FacesConfig(weights=str(tmp_path / "yunet.onnx"))).models()
    whole = TextArea(TextAreaConfig()).model.read_bytes()
    for data in (b"", b"no network" * 50, whole[: len(whole) // 2]):
        (tmp_path / "noise.onnx").write_bytes(data)
        with pytest.raises(ConfigError, match=r"noise\.onnx: is no ONNX file"):
            YunetDetector(tmp_path / "noise.onnx", 0.8)


def test_the_network_of_another_task_is_refused_before_the_start() -> None:
    model = TextArea(TextAreaConfig()).model
    with pytest.raises(ConfigError, match=rf"faces\.weights: .*{model.name}: is an ONNX file, but its network is not"):
        Faces(FacesConfig(weights=str(model))).models()


def test_what_boxes_cover_counts_once_and_only_inside() -> None:
    boxes = np.array([[-5, -5, 5, 5, 1], [0, 0, 5, 5, 1], [90, 0, 200, 10, 1]], np.float32)
    assert covered(boxes, (50, 100)) == pytest.approx((25 + 100) / 5000)
    assert covered(boxes[:0], (50, 100)) == 0


def test_every_size_down_to_the_whole_picture_is_looked_at() -> None:
    sizes = [12 / scale for scale in scales(100, 200, 20)]
    assert sizes[0] == pytest.approx(20)
    assert sizes[-1] <= 100 < sizes[-1] / 0.709
    assert list(scales(10, 200, 20)) == []


def test_boxes_are_moved_by_shares_of_their_sides_and_made_square() -> None:
    box = np.array([[10, 20, 30, 60, 0.9]], np.float32)
    assert moved(box, np.array([[0.1, 0, -0.1, 0.5]], np.float32), extra_px=0)[0] == pytest.approx(
        [12, 20, 28, 80, 0.9]
    )
    assert square(box)[0] == pytest.approx([0, 20, 40, 60, 0.9])


def test_the_smaller_of_two_boxes_in_one_another_goes_by_the_smaller_only() -> None:
    boxes = np.array([[0, 0, 99, 99, 0.9], [20, 20, 40, 40, 0.8], [200, 0, 220, 20, 0.7]], np.float32)
    assert suppress(boxes, 0.7).tolist() == [0, 1, 2]
    assert suppress(boxes, 0.7, by_smaller=True).tolist() == [0, 2]
