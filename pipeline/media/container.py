"""Open a file that nobody vouches for: by its content, never by its name, and nothing that it points to."""

from __future__ import annotations

import errno
import os
import stat
from typing import TypeAlias

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from pipeline.media.limits import MediaLimits
from pipeline.media.magic import is_animated_webp, is_playlist, looks_like_media, picture_size
from schemas.errors import ErrorKind, MediaError

Source: TypeAlias = "str | bytes | os.PathLike[str] | int"
"""A path, or the descriptor of an open file."""

DEMUXERS = tuple(  # Names as `ffmpeg -demuxers` has them.
    name
    for line in (
        "mov matroska avi mpegts mpeg mpegvideo ogg flv asf mxf gxf nut rm dv wtv nsv",
        "h261 h263 h264 hevc vvc m4v vc1 dirac obu av1 ivf evc cavsvideo dnxhd mjpeg yuv4mpegpipe",
        "gif apng jpeg_pipe png_pipe webp_pipe jpegxl_pipe jpegxl_anim",
    )
    for name in line.split()
)
"""What may read a file. None of these opens another: no hls, dash, concat, sdp, image2, imf."""

_IMAGE_CODECS = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpegxl", "mjpegb", "ljpeg"})
_NOT_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_SNIFF_BYTES = 64 << 10
_LOST_FILE = frozenset({errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT, errno.ENOTCONN, errno.EREMOTEIO})
"""What a file system says when it goes away. Not EIO and EPERM: demuxers say these of damaged files."""


def quiet() -> None:
    """Keep FFmpeg from writing to stderr. Call it once in each process that decodes.

    Not through `av.logging.set_level`: its callback takes Python's lock from FFmpeg's threads, which
    deadlocks.
    """
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.PANIC)


def open_container(source: Source, limits: MediaLimits | None = None) -> InputContainer:
    """Open a media file for reading.

    FFmpeg is given an open file and the right to no protocol but this, so it can open nothing else; and it
    may use only the demuxers of `DEMUXERS`.

    Args:
        source: A path to a regular file or a link to one; or a descriptor, which stays open.
        limits: The largest frame to be decoded.

    Raises:
        MediaError: `not_a_file, io, empty, playlist, not_media, corrupt, too_large, out_of_memory`.
    """
    limits = limits or MediaLimits()
    fd = _open_regular(source)
    try:
        head = os.pread(fd, _SNIFF_BYTES, 0)
        _refuse(head, limits)
        options = {
            "fd": str(fd),
            "protocol_whitelist": "fd",
            "format_whitelist": ",".join(DEMUXERS),
            "max_pixels": str(limits.max_pixels),
            "threads": "1",
        }
        return av.open("fd:", options=options, metadata_errors="replace")
    except FFmpegError as error:
        raise translated(error, _kind_of(head), "while opening") from error
    except OSError as error:
        raise MediaError(ErrorKind.io, f"cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)


def _open_regular(source: Source) -> int:
    """A descriptor of its own, with its own position, of a regular file."""
    path = f"/proc/self/fd/{source}" if isinstance(source, int) else source
    try:
        # Asked before opening, for opening a device can already do something.
        _need_regular(os.stat(path).st_mode)  # noqa: PTH116 - a path may be bytes
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        is_link = error.errno == errno.ENOENT and os.path.islink(path)  # noqa: PTH114 - a path may be bytes
        lost = error.errno == errno.ELOOP or is_link
        kind = ErrorKind.not_a_file if lost else ErrorKind.io
        raise MediaError(kind, f"cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise MediaError(ErrorKind.io, f"no path: {error}") from error
    try:
        _need_regular(os.fstat(fd).st_mode)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _need_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        names = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        raise MediaError(ErrorKind.not_a_file, f"is {names.get(stat.S_IFMT(mode), 'a device')}, not a file")


def _refuse(head: bytes, limits: MediaLimits) -> None:
    """Refuse by the first bytes what needs no demuxer to be judged."""
    if not head:
        raise MediaError(ErrorKind.empty, "has no bytes")
    if name := is_playlist(head):
        raise MediaError(ErrorKind.playlist, f"is {name}, which only points elsewhere; it is not followed")
    if is_animated_webp(head):
        raise MediaError(ErrorKind.unsupported_codec, "is a moving WebP, for which FFmpeg has no decoder")
    if size := picture_size(head):
        need_pixels(*size, limits)


def _kind_of(head: bytes) -> ErrorKind:
    return ErrorKind.corrupt if looks_like_media(head) else ErrorKind.not_media


def need_pixels(width: int, height: int, limits: MediaLimits) -> None:
    """Refuse frames that are too large.

    Raises:
        MediaError: `too_large`.
    """
    if width * height > limits.max_pixels:
        raise MediaError(
            ErrorKind.too_large, f"{width}x{height} is over the limit of {limits.max_pixels} pixels a frame"
        )


def translated(error: FFmpegError, kind: ErrorKind, when: str) -> MediaError:
    """What one of FFmpeg's errors means for the file.

    Args:
        error: What PyAV raised.
        kind: What it means where the data are the reason.
        when: What was being done, for the message.
    """
    words = {
        ErrorKind.not_media: "is no video or picture that we read",
        ErrorKind.corrupt: "is damaged or cut off",
    }
    if isinstance(error, MemoryError):
        return MediaError(ErrorKind.out_of_memory, f"needs more memory than allowed {when}")
    if error.errno in _LOST_FILE:
        return MediaError(ErrorKind.io, f"cannot be read {when}: {error.strerror}")
    if isinstance(error, av.error.DecoderNotFoundError):
        return MediaError(ErrorKind.unsupported_codec, f"needs a decoder that is not here ({when})")
    return MediaError(kind, f"{words.get(kind, 'cannot be used')} (met {when})")


def video_stream(container: InputContainer, limits: MediaLimits | None = None) -> VideoStream:
    """The stream that is the film, made ready for decoding with one thread; the others are not read.

    The first that can be decoded, but no cover picture, and no stream of pictures beside one of film.

    Raises:
        MediaError: `no_video, unsupported_codec, too_large`.
    """
    limits = limits or MediaLimits()
    films = [stream for stream in container.streams.video if not stream.disposition & _NOT_FILM]
    films = films or [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        raise MediaError(ErrorKind.no_video, "has no video stream")
    decodable = [stream for stream in films if _has_decoder(stream)]
    if not decodable:
        raise MediaError(ErrorKind.unsupported_codec, "has video in a codec that no decoder here knows")
    return select_stream(container, _the_film(decodable).index, limits)


def _the_film(streams: list[VideoStream]) -> VideoStream:
    """The first that moves, of streams that can be decoded; of pictures the one that is shown."""
    moving = [stream for stream in streams if stream.codec_context.name not in _IMAGE_CODECS] or streams
    # A moving AVIF also has its first picture as a stream. No number is no claim.
    moving = [stream for stream in moving if stream.frames != 1] or moving
    if all(stream.frames == 1 for stream in moving):
        if any(stream.disposition & Disposition.dependent for stream in moving):
            raise MediaError(ErrorKind.unsupported_codec, "a picture in tiles, which cannot be put together here")
        moving = [stream for stream in moving if stream.disposition & Disposition.default] or moving
    return moving[0]


def select_stream(container: InputContainer, index: int, limits: MediaLimits) -> VideoStream:
    """The stream with this index, made ready for decoding with one thread; the others are not read.

    Raises:
        MediaError: `changed` where that is no video stream, `unsupported_codec, too_large`.
    """
    chosen = next((s for s in container.streams.video if s.index == index), None)
    if chosen is None or not _has_decoder(chosen):
        raise MediaError(ErrorKind.changed, f"has no video stream {index} any more")
    context = chosen.codec_context
    need_pixels(max(context.width, context.coded_width), max(context.height, context.coded_height), limits)
    for stream in container.streams:
        if stream.index != index:
            stream.discard = Discard.all
    context.thread_count = 1
    context.thread_type = "NONE"
    context.options = {**context.options, "max_pixels": str(limits.max_pixels)}
    return chosen


def _has_decoder(stream: VideoStream) -> bool:
    context: object = stream.codec_context
    return context is not None
