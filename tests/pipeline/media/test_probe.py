from __future__ import annotations

import json
import shutil
import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.media import DecoderChild, MediaLimits
from pipeline.media.container import open_container
from pipeline.media.probe import probe, varies
from schemas.errors import ErrorKind, MediaError
from schemas.video import Probe

BT709 = {"x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv"}


def look(path: Path) -> Probe:
    with open_container(path) as container:
        return probe(container)


def test_a_film_is_described(make_film: Any) -> None:
    film = make_film("plain.mp4", frames=50, rate=24, codec_options=BT709)
    assert look(film) == Probe(
        stream_index=0,
        container="mov,mp4,m4a,3gp,3g2,mj2",
        codec="h264",
        pixel_format="yuv420p",
        width=64,
        height=48,
        coded_width=64,
        coded_height=48,
        rotation_deg=0,
        frame_rate=Fraction(24),
        is_vfr=False,
        is_image=False,
        num_frames=50,
        duration_s=pytest.approx(50 / 24, abs=0.01),  # type: ignore[arg-type]
        has_audio=False,
        color_primaries="bt709",
        color_transfer="bt709",
        color_matrix="bt709",
        color_range="limited",
        field_order="progressive",
    )


def test_a_probe_comes_out_of_a_child_as_it_is_here(make_film: Any) -> None:
    film = make_film("child.mp4")
    with DecoderChild("pipeline.media.child", MediaLimits()) as child, film.open("rb") as file:
        header = child.call("probe", {}, file.fileno()).header
    assert Probe.from_json(header) == look(film)


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "frames", "container", "is_image"),
    [
        pytest.param("still.png", "png", "rgb24", 1, "image2", True, id="PNG"),
        pytest.param("still.jpg", "mjpeg", "yuvj420p", 1, "image2", True, id="JPEG"),
        pytest.param("still.webp", "libwebp", "yuv420p", 1, None, True, id="WebP"),
        pytest.param("still.avif", "libsvtav1", "yuv420p", 1, "avif", True, id="AVIF"),
        pytest.param("still.gif", "gif", "rgb8", 1, None, True, id="GIF of one picture"),
        pytest.param("still.apng", "apng", "rgb24", 1, "apng", True, id="APNG of one picture"),
        pytest.param("moves.gif", "gif", "rgb8", 6, None, False, id="GIF that moves"),
        pytest.param("moves.apng", "apng", "rgb24", 6, "apng", False, id="APNG that moves"),
        pytest.param("moves.avif", "libsvtav1", "yuv420p", 6, "avif", False, id="AVIF that moves"),
        pytest.param("moves.mjpeg", "mjpeg", "yuvj420p", 6, "mjpeg", False, id="motion JPEG"),
        pytest.param("short.mp4", "libx264", "yuv420p", 1, None, False, id="a film of one frame is no picture"),
    ],
)
def test_pictures_are_told_from_films(
    make_film: Any, name: str, codec: str, pixels: str, frames: int, container: str | None, is_image: bool
) -> None:
    film = make_film(name, codec, frames=frames, pixels=pixels, container=container, size=(64, 64))
    plain = film.rename(film.with_suffix(""))
    seen = look(plain)
    assert seen.is_image is is_image
    assert (seen.width, seen.height) == (64, 64)
    if is_image:
        assert (seen.num_frames, seen.frame_rate, seen.is_vfr) == (1, None, False)


def test_a_webp_that_moves_is_refused_for_what_it_is(make_film: Any) -> None:
    film = make_film("moves.webp", "libwebp_anim", frames=4)
    with pytest.raises(MediaError) as caught:
        look(film)
    assert caught.value.kind is ErrorKind.unsupported_codec


TURNS = {
    1: (0, False),
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (270, True),
    6: (90, False),
    7: (90, True),
    8: (270, False),
}
"""A clockwise turn after a flip, by the value of Exif's tag."""


@pytest.mark.parametrize(("exif", "turn"), TURNS.items())
def test_a_photo_is_turned_as_its_exif_says(make_film: Any, tmp_path: Path, exif: int, turn: tuple[int, bool]) -> None:
    jpeg = make_film(f"exif{exif}.jpg", "mjpeg", frames=1, pixels="yuvj420p", container="image2").read_bytes()
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x112, 3, 1, exif, 0) + bytes(4)
    segment = b"Exif\0\0" + tiff
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:])
    seen = look(photo)
    assert (seen.rotation_deg, seen.is_mirrored) == turn
    assert (seen.width, seen.height) == ((48, 64) if turn[0] in (90, 270) else (64, 48))
    assert (seen.coded_width, seen.coded_height) == (64, 48)


def with_matrix(film: Path, folder: Path, *entries: float) -> Path:
    data = film.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (round(entry * 65536) for entry in entries)
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    turned = folder / "turned.mp4"
    turned.write_bytes(data[:at] + matrix + data[at + 36 :])
    return turned


@pytest.mark.parametrize(
    ("entries", "rotation", "mirrored"),
    [
        ((0, 1, -1, 0), 90, False),
        ((-1, 0, 0, -1), 180, False),
        ((0, -1, 1, 0), 270, False),
        ((-1, 0, 0, 1), 0, True),
    ],
)
def test_a_film_is_turned_as_its_matrix_says(
    make_film: Any, tmp_path: Path, entries: tuple[float, ...], rotation: int, mirrored: bool
) -> None:
    seen = look(with_matrix(make_film("turn.mp4", frames=3), tmp_path, *entries))
    assert (seen.rotation_deg, seen.is_mirrored) == (rotation, mirrored)
    assert (seen.width, seen.height) == ((48, 64) if rotation in (90, 270) else (64, 48))


def test_wide_samples_widen_the_displayed_picture(make_film: Any) -> None:
    seen = look(make_film("wide.mp4", frames=3, size=(72, 48), aspect=Fraction(4, 3)))
    assert (seen.sample_aspect, seen.width, seen.height) == (Fraction(4, 3), 96, 48)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_changing_rate_is_seen_and_a_steady_one_not_mistaken(make_film: Any, suffix: str) -> None:
    steady = look(make_film(f"steady.{suffix}", frames=60, rate=30, codec_options={"bf": "2"}))
    changing = look(make_film(f"changing.{suffix}", times=[*range(0, 60, 2), *range(60, 90)], rate=30))
    assert (steady.is_vfr, changing.is_vfr) == (False, True)


def test_a_rate_that_changes_late_is_seen_in_the_index(make_film: Any) -> None:
    film = make_film("late.mp4", times=[*range(1000), *range(1000, 1100, 4)], size=(16, 16))
    assert look(film).is_vfr is True


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], None),
        ([0, 40], None),
        ([0, 40, 80], False),
        ([0, 33, 67, 100, 133], False),
        ([0, 3003, 6006, 9009, 12013], False),
        ([0, 40, 120], True),
        ([0, 4004, 8008, 12500], True),
    ],
)
def test_rounding_and_jitter_are_not_a_changing_rate(times: list[int], expected: bool | None) -> None:
    assert varies(times) is expected


def test_a_file_of_which_nothing_decodes_fails_at_the_probe(make_film: Any, tmp_path: Path) -> None:
    data = bytearray(make_film("dead.mp4", frames=30).read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    (tmp_path / "dead.mp4").write_bytes(data)
    with pytest.raises(MediaError) as caught:
        look(tmp_path / "dead.mp4")
    assert caught.value.kind is ErrorKind.corrupt


def test_claims_of_the_container_do_not_stand_against_the_decoded_picture(make_film: Any, tmp_path: Path) -> None:
    data = make_film("claims.mp4", frames=3).read_bytes()
    at = data.index(b"avc1", data.index(b"stsd")) + 28
    (tmp_path / "claims.mp4").write_bytes(data[:at] + struct.pack(">HH", 64000, 48000) + data[at + 4 :])
    seen = look(tmp_path / "claims.mp4")
    assert (seen.width, seen.height, seen.coded_width) == (64, 48, 64)


def test_every_real_file_agrees_with_ffprobe(shared_footage: Path) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    names = [
        "tc_h265_10bits.mp4",
        "moz_TestPatternHDR.mp4",
        "iio_cockatoo.mp4",
        "wpt_video.ogv",
        "moz_gizmo.webm",
    ]
    for path in filter(Path.is_file, (shared_footage / name for name in names)):
        command = [
            "ffprobe",
            "-v",
            "quiet",
            "-of",
            "json",
            "-show_streams",
            "-select_streams",
            "v:0",
            str(path),
        ]
        stream = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"][0]
        seen = look(path)
        assert (seen.coded_width, seen.coded_height) == (stream["width"], stream["height"])
        assert seen.pixel_format == stream["pix_fmt"]
        if not stream["avg_frame_rate"].endswith("/0"):
            assert seen.frame_rate == Fraction(stream["avg_frame_rate"])
        for ours, theirs in (("color_transfer", "color_transfer"), ("color_matrix", "color_space")):
            assert getattr(seen, ours) == stream.get(theirs, "unspecified")


def test_frames_with_side_data_newer_than_pyav_can_be_asked_about(make_film: Any, tmp_path: Path) -> None:
    jpeg = make_film("side.jpg", "mjpeg", frames=1, pixels="yuvj420p", container="image2").read_bytes()
    segment = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x112, 3, 1, 6, 0) + bytes(4)
    (tmp_path / "photo").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:])
    with av.open(str(tmp_path / "photo")) as container:
        names = [data.type.name for data in next(container.decode(video=0)).side_data]
    assert "DISPLAYMATRIX" in names
