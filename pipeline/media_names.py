"""What the name of a file says: that it may be media, that it goes with media, or that it is nothing for us.

Names lie, so only what cannot sensibly be media is set aside by its name alone.
"""

from __future__ import annotations

import posixpath

SIDECAR_SUFFIXES = (".json", ".txt")
"""What may stand beside `film.mp4` under the same stem, best first; so may `film.mp4.json`."""

_VIDEO = """
    .3g2 .3gp .asf .avi .divx .dv .f4v .flv .gif .h264 .h265 .264 .265 .hevc .ivf .m1v .m2ts .m2v .m4v .mj2
    .mkv .mov .mp4 .mpeg .mpg .mts .mxf .nut .obu .ogv .qt .rm .rmvb .vob .webm .wmv .y4m
"""
_PICTURES = ".avif .jpeg .jpg .png .webp"
_LISTS_OF_FILES = ".ffconcat .m3u8 .mpd"
"""Probed too, so that they are refused for what they are."""
_MEDIA = frozenset(f"{_VIDEO} {_PICTURES} {_LISTS_OF_FILES}".split())
_KINDS = {
    "a text or a table": """
        .ass .cfg .conf .csv .doc .docx .html .htm .ini .json .jsonl .log .lrc .md .nfo .pdf .rst .rtf .sbv
        .srt .ssa .tex .toml .tsv .txt .vtt .xls .xlsx .xml .xmp .yaml .yml
    """,
    "an archive": ".7z .bz2 .gz .iso .rar .tar .tgz .xz .zip .zst",
    "sound": ".aac .ac3 .aif .aiff .alac .amr .ape .flac .m4a .m4b .mid .mka .mp3 .oga .opus .wav .wma",
    "an unfinished download": ".aria2 .crdownload .download .part .partial .tmp .torrent .ytdl",
    "a program or its data": """
        .bat .bin .c .cpp .db .dll .exe .go .h .ipynb .js .npy .npz .parquet .pkl .pt .pth .py .rs
        .safetensors .sh .so .sql .sqlite .whl
    """,
    "a checksum or a signature": ".asc .md5 .sfv .sha1 .sha256 .sig",
    "a drawing or a project": ".aep .ai .blend .drp .ico .prproj .psd .svg .xcf",
}
_IGNORED = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}
_DEBRIS = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})
_SYSTEM_FOLDERS = frozenset({"$recycle.bin", "@eadir", "__macosx", "lost+found", "system volume information"})


def is_hidden_folder(name: str) -> bool:
    """Whether a folder of this name holds what no one filmed: version control, thumbnails, waste."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def suffix_of(uri: str) -> str:
    """The last suffix, in lower case, with its dot; empty without one."""
    return posixpath.splitext(base_name(uri))[1].lower()


def base_name(uri: str) -> str:
    """The last part of a path or a URL (a URL's query goes with it, as it does in an object's key)."""
    return uri.rpartition("/")[2]


def ignored_because(uri: str) -> str | None:
    """Why a file of this name is not looked into; None where it may be media."""
    name = base_name(uri)
    if name.startswith("."):
        return "a hidden file"
    if name.lower() in _DEBRIS:
        return "left there by a file manager"
    kind = _IGNORED.get(suffix_of(uri))
    return None if kind is None else f"{kind}, by its name"


def is_media(uri: str) -> bool:
    """Whether the name claims a video or a picture; what claims it and is none is an error."""
    return suffix_of(uri) in _MEDIA


def sidecar_names(name: str) -> list[str]:
    """The names of what may go with a file, best first; none for what cannot be media itself."""
    if ignored_because(name) is not None:
        return []
    stem = posixpath.splitext(name)[0]
    return [base + suffix for suffix in SIDECAR_SUFFIXES for base in dict.fromkeys((name, stem))]
