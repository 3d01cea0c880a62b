from __future__ import annotations

import os
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.media import MediaLimits
from pipeline.media.container import DEMUXERS, open_container, select_stream, video_stream
from schemas.errors import ErrorKind, MediaError


def refusal(path: object, **limits: Any) -> MediaError:
    with pytest.raises(MediaError) as caught, open_container(path, MediaLimits(**limits)) as container:  # type: ignore[arg-type]
        video_stream(container, MediaLimits(**limits))
    return caught.value


@pytest.fixture(scope="module")
def film(make_film: Any) -> Path:
    path: Path = make_film("container.mp4", frames=5)
    return path


@pytest.mark.parametrize(
    "name",
    [
        *(
            "-i.mp4",
            "concat:a.mp4|b.mp4",
            "http:x.mp4",
            "pipe:0",
            "file:x",
            "percent%03d.png",
            "new\nline.mp4",
        ),
        *(b"latin1_caf\xe9.mp4", b"\xff\xfe", "playlist.m3u8", "glob*?[a].jpg", "é" * 120, "no suffix"),
    ],
)
def test_names_do_not_matter(film: Path, tmp_path: Path, name: str | bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    with open(path, "wb") as file:
        file.write(film.read_bytes())
    with open_container(path) as container:
        assert container.format.name.startswith("mov")


def test_a_descriptor_can_be_given_and_keeps_its_place(film: Path) -> None:
    with film.open("rb") as file:
        file.seek(3)
        with open_container(file.fileno()) as one, open_container(file.fileno()) as other:
            assert sum(packet.size for packet in one.demux()) == sum(packet.size for packet in other.demux())
        assert file.tell() == 3


def test_no_descriptor_is_left_open(film: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with open_container(str(film)):
            pass
        refusal(str(tmp_path / "text.mp4"))
        refusal(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("fifo", "socket", "loop", "dangling", "device", "."):
        assert refusal(str(tmp_path / name)).kind is ErrorKind.not_a_file, name


def test_a_link_to_a_file_is_a_file(film: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(film)
    with open_container(tmp_path / "link"):
        pass


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", ErrorKind.empty),
        (b"\0", ErrorKind.not_media),
        (b"a note to self\n" * 100, ErrorKind.not_media),
        (bytes(100_000), ErrorKind.not_media),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", ErrorKind.corrupt),
        (b"\x1aE\xdf\xa3 and no more", ErrorKind.corrupt),
        (b"GIF89a" + struct.pack("<HH", 16000, 16000) + b"\x80\0\0" + bytes(20), ErrorKind.too_large),
    ],
)
def test_bytes_that_are_no_film_have_their_kind(tmp_path: Path, data: bytes, kind: ErrorKind) -> None:
    (tmp_path / "it.mp4").write_bytes(data)
    assert refusal(tmp_path / "it.mp4").kind is kind


def test_what_is_not_there_is_a_matter_of_io(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.mp4").kind is ErrorKind.io
    assert refusal("nul\0byte").kind is ErrorKind.io


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ts", "ffconcat", "mpd", "avi"])
def test_nothing_that_a_playlist_points_to_is_touched(film: Path, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "target.mp4").write_bytes(film.read_bytes())
    (tmp_path / "target.ts").write_bytes(film.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        met: list[object] = []
        listener = threading.Thread(target=lambda: _accept(server, met), daemon=True)
        listener.start()
        for text in (
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ntarget.ts\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile target.mp4\n",
            f"ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/x.mp4'\n",
            '<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation><BaseURL>target.mp4</BaseURL>'
            "</Representation></AdaptationSet></Period></MPD>",
            f"http://127.0.0.1:{port}/x.mp4",
        ):
            (tmp_path / f"list.{suffix}").write_text(text)
            assert refusal(tmp_path / f"list.{suffix}").kind is ErrorKind.playlist
        server.shutdown(socket.SHUT_RDWR)
        listener.join(5)
        assert met == []


def _accept(server: socket.socket, met: list[object]) -> None:
    try:
        met.append(server.accept())
    except OSError:
        return


@pytest.mark.parametrize("name", ["hls", "concat", "dash", "sdp", "image2", "rtsp", "imf", "lavfi", "tty", "data"])
def test_demuxers_that_lead_elsewhere_are_not_allowed(name: str) -> None:
    assert name not in DEMUXERS


def test_every_allowed_demuxer_exists() -> None:
    known = {part for name in av.formats_available for part in name.split(",")}
    assert set(DEMUXERS) <= known


def test_ffmpeg_itself_would_not_follow_a_list_that_we_did_not_recognise(film: Path, tmp_path: Path) -> None:
    """The demuxer list and the protocol list each stop it, whatever the first bytes look like to us."""
    (tmp_path / "target.mp4").write_bytes(film.read_bytes())
    (tmp_path / "list.mp4").write_text("#a comment\nffconcat version 1.0\nfile target.mp4\n")
    assert refusal(tmp_path / "list.mp4").kind is ErrorKind.not_media


def test_metadata_that_is_no_text_is_no_obstacle(make_film: Any, tmp_path: Path) -> None:
    film = make_film("meta.mkv", frames=3)
    data = film.read_bytes()
    at = data.index(b"Lavf")
    (tmp_path / "bad.mkv").write_bytes(data[:at] + b"\xff\xfe\x80\x81" + data[at + 4 :])
    with open_container(tmp_path / "bad.mkv") as container:
        assert video_stream(container)


def _film_with_cover(path: Path, attached: bool) -> None:
    with av.open(str(path), "w") as output:
        cover: Any = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        if attached:
            cover.disposition = av.stream.Disposition.attached_pic
        film: Any = output.add_stream("libx264", rate=25)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame(32, 32, "yuvj420p")
        picture.pts = 0
        output.mux(cover.encode(picture))
        output.mux(cover.encode())
        for index in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = index
            output.mux(film.encode(frame))
        output.mux(film.encode())


@pytest.mark.parametrize("attached", [False, True])
def test_a_cover_before_the_film_is_not_the_film(tmp_path: Path, attached: bool) -> None:
    _film_with_cover(tmp_path / "film.mkv", attached)
    with open_container(tmp_path / "film.mkv") as container:
        assert len(container.streams.video) == 2
        assert video_stream(container).codec_context.name == "h264"


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as output:
        stream: Any = output.add_stream("aac", rate=44100)
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        frame.sample_rate, frame.pts = 44100, 0
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    assert refusal(tmp_path / "sound.mp4").kind is ErrorKind.no_video


def test_an_unknown_codec_is_told_from_damage(film: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.mp4").write_bytes(film.read_bytes().replace(b"avc1\0", b"xyz9\0"))
    assert refusal(tmp_path / "odd.mp4").kind is ErrorKind.unsupported_codec


def test_large_frames_are_refused_before_they_are_decoded(make_film: Any) -> None:
    film = make_film("large.mp4", frames=2, size=(640, 480))
    assert refusal(film, max_pixels=640 * 480 - 1).kind is ErrorKind.too_large
    with open_container(film, MediaLimits(max_pixels=640 * 480)) as container:
        assert video_stream(container, MediaLimits(max_pixels=640 * 480))


def test_a_stream_that_is_not_there_any_more_is_a_change(film: Path) -> None:
    with open_container(film) as container, pytest.raises(MediaError) as caught:
        select_stream(container, 7, MediaLimits())
    assert caught.value.kind is ErrorKind.changed
