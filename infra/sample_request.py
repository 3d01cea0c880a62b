"""From what a user asks for on the command line, or in a line of a file, to what the sampler makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from infra.prompts import check_words, named, under
from infra.sample_config import SampleConfig
from schemas import Config, ConfigError, Probe, file_digest
from trainer.sampling import Frames, Mode, Region, Request, Shot, Size, check_size
from trainer.sampling.plan import available_memory, gib
from trainer.sampling.reading import probe_media, read_media
from trainer.sampling.writing import check_out

_MAX_SHOTS_BYTES = 1 << 20
_COPIES = 3
"""Of a given clip in 8 bit, while it is read and joined."""


class AskedShot(Config):
    """One shot of several."""

    prompt: str
    seconds: float = Field(gt=0, allow_inf_nan=False)
    cut: bool = False
    """Begins anew; else it goes on from the shot before, with what that shows."""


class Asked(Config):
    """One output, as a user asks for it."""

    prompt: str
    """Of a list of shots: what stands before the prompt of each, as their subject; may be empty there."""
    out: Path
    """Ends in `.mp4` or `.png`."""
    size: str | None = None
    """`WIDTHxHEIGHT`; that of the given clip, or the config's, without it."""
    seconds: float | None = None
    """Of the video, or of what is added to a clip."""
    seed: int = 0
    image: Path | None = None
    video: Path | None = None
    extend: Literal["forward", "backward", "both"] | None = None
    connect: Path | None = None
    """A second video, to which a passage leads."""
    loop: bool = False
    inpaint: str | None = None
    """`X,Y,WIDTHxHEIGHT`, with `@START-END` in seconds."""
    strength: float | None = None
    """Of an edit."""
    variation: float = 0.0
    """How far the noise is from the seed's own."""
    variation_seed: int = 0
    shots: tuple[AskedShot, ...] = ()
    """One after the other, in a video whose length is theirs."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that is given, in order."""
        return tuple(path for path in (self.image, self.video, self.connect) if path is not None)

    @property
    def prompts(self) -> tuple[str, ...]:
        """All that the model is to read."""
        return tuple(under(self.prompt, shot.prompt) for shot in self.shots) or (self.prompt,)

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        given = [name for name in ("image", "video") if getattr(self, name) is not None]
        if len(given) == 2:
            raise ValueError("image and video do not go together")
        values = {name: getattr(self, name) for name in ("extend", "connect", "loop", "inpaint", "strength")}
        what = [name for name, value in values.items() if value is not None and value is not False]
        if self.shots:
            what.append("shots")
            if self.seconds is not None:
                raise ValueError("seconds and shots do not go together: each shot has its own")
            if self.image is not None:
                raise ValueError("image and shots do not go together")
        if len(what) > 1:
            raise ValueError(f"{what[0]} and {what[1]} do not go together")
        needs_clip = [name for name in what if name in ("inpaint", "strength") and not given]
        needs_video = [name for name in what if name in ("extend", "connect") and self.video is None]
        if needs_clip or needs_video:
            raise ValueError(
                f"{(needs_clip + needs_video)[0]} needs {'a video' if needs_video else 'a video or an image'}"
            )
        return self

    def mode(self) -> Mode:
        """What is to be done.

        Raises:
            ConfigError: The ending of the output does not go with it.
        """
        is_video = check_out(self.out)
        mode = self._mode(is_video=is_video)
        is_picture = self.image is not None or self.video is None
        if not is_video and not (is_picture and mode in (Mode.text, Mode.edit, Mode.inpaint)):
            raise ConfigError(f"a picture cannot be made by {mode}: --out ends in .mp4")
        if is_video and self.image is not None and mode in (Mode.edit, Mode.inpaint, Mode.loop):
            raise ConfigError(f"{mode} of a picture gives a picture: --out ends in .png")
        return mode

    def _mode(self, *, is_video: bool) -> Mode:
        if self.shots:
            return Mode.shots
        if self.extend is not None:
            return Mode(self.extend)
        if self.connect is not None:
            return Mode.connect
        if self.loop:
            return Mode.loop
        if self.inpaint is not None:
            return Mode.inpaint
        if self.video is not None or self.strength is not None:
            return Mode.edit
        if self.image is not None:
            return Mode.image if is_video else Mode.edit
        return Mode.text


@dataclass(frozen=True, slots=True)
class Given:
    """A request and what is to be said and recorded of it."""

    request: Request
    files: tuple[dict[str, str], ...]
    """Name and SHA-256 of what was given."""
    notes: tuple[str, ...]


def read_asked(path: Path) -> list[Asked]:
    """Read a file with one JSON object a line; paths in it are taken as on the command line.

    Raises:
        ConfigError: A line is none, or asks for what does not exist.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(make_asked(json.loads(line), f"{path}: line {number}"))
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"{path}: line {number}: is not JSON: {str(error)[:200]}") from error
    if not found:
        raise ConfigError(f"{path}: holds no request")
    return found


def read_shots(path: Path) -> list[object]:
    """Read a YAML file with a list of shots, each `{prompt: …, seconds: …, cut: true}`.

    Raises:
        ConfigError: It cannot be read, or holds none.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_SHOTS_BYTES + 1)
        if len(text) > _MAX_SHOTS_BYTES:
            raise ConfigError(f"{path}: is larger than {_MAX_SHOTS_BYTES:,} bytes, too much for a list of shots")
        found = yaml.safe_load(text)
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(found, list) or not found:
        raise ConfigError(f"{path}: holds no list of shots")
    return found


def make_asked(values: object, where: str) -> Asked:
    """Check what is asked for.

    Raises:
        ConfigError: A key or a value is wrong.
    """
    try:
        return Asked.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {f'{key}: ' if key else ''}{message[0].lower()}{message[1:]}") from error


def given_of(asked: Asked, config: SampleConfig, available_bytes: float | None = None) -> Given:
    """Read what is given, and settle size and length.

    Args:
        asked: What is asked for.
        config: How.
        available_bytes: Memory for what is given; what is free now, without it.

    Raises:
        ConfigError: Something cannot be read, does not go together, is too large, or is refused by the policy.
    """
    check_words(named(asked.prompts, are_shots=bool(asked.shots)), config)
    mode = asked.mode()
    clips, size, notes = _read_clips(asked, config, available_bytes)
    seconds = config.seconds if asked.seconds is None else asked.seconds
    shots = tuple(
        Shot(prompt, config.frames(shot.seconds), shot.cut)
        for prompt, shot in zip(asked.prompts, asked.shots, strict=False)
    )
    num_frames = config.frames(seconds) if asked.out.suffix.lower() == ".mp4" else 1
    request = Request(
        prompt=asked.prompt,
        shots=shots,
        size=size,
        num_frames=sum(shot.num_frames for shot in shots) or num_frames,
        seed=asked.seed,
        mode=mode,
        clips=clips,
        strength=config.strength if asked.strength is None else asked.strength,
        region=Region.parse(asked.inpaint) if asked.inpaint is not None else None,
        variation=asked.variation,
        variation_seed=asked.variation_seed,
    )
    files = tuple({"name": path.name, "sha256": file_digest(path)} for path in asked.paths)
    return Given(request, files, notes)


def _read_clips(
    asked: Asked, config: SampleConfig, available_bytes: float | None
) -> tuple[tuple[Frames, ...], Size, tuple[str, ...]]:
    """The given clips at the size that is made, that size, and what is to be said of them."""
    paths = asked.paths
    probes = [probe_media(path) for path in paths]
    for path, probe, wants_image in zip(paths, probes, (asked.image is not None, False), strict=False):
        if probe.is_image != wants_image:
            said, other = ("picture", "image") if probe.is_image else ("video", "video")
            raise ConfigError(f"{path}: is a {said}: give it by --{other}")
    size = _size(asked, probes, config)
    check_size(size, config)
    check_out(asked.out, size)
    _check_lengths(asked, config)
    _check_room(probes, size, config, available_bytes)
    notes = []
    for path, probe in zip(paths, probes, strict=True):
        if probe.width * size.height != probe.height * size.width:
            how = "cut at its edges (fit: crop)" if config.fit == "crop" else "put between black bars (fit: fit)"
            notes.append(f"{path} is {probe.width}x{probe.height} and is {how} to {size.width}x{size.height}")
    most = config.frames(config.max_seconds)
    clips = tuple(
        read_media(path, probe, size, config.rate, most, config.fit) for path, probe in zip(paths, probes, strict=True)
    )
    return clips, size, tuple(notes)


def _check_room(probes: Sequence[Probe], size: Size, config: SampleConfig, available_bytes: float | None) -> None:
    """Refuse clips that memory does not hold at the size that is made, before they are decoded."""
    if not probes:
        return
    available = available_memory(config, "cpu") if available_bytes is None else available_bytes
    # A longer one is refused when it is read.
    longest = [min(probe.duration_s or config.max_seconds, config.max_seconds) for probe in probes]
    lengths = [1 if probe.is_image else config.frames(each) for probe, each in zip(probes, longest, strict=True)]
    num_bytes = _COPIES * 3.0 * sum(lengths) * size.width * size.height
    if num_bytes > available:
        raise ConfigError(
            f"this device cannot hold what is asked for: what is given takes {gib(num_bytes)} at "
            f"{size.width}x{size.height}, and there are {gib(available)}"
        )


def _size(asked: Asked, probes: list[Probe], config: SampleConfig) -> Size:
    """As asked for; else the first clip's own, made even for a video."""
    if asked.size is not None:
        return Size.parse(asked.size)
    if not probes:
        return Size(*config.size)
    native = Size(probes[0].width, probes[0].height)
    if asked.out.suffix.lower() == ".mp4":
        return Size(native.width + native.width % 2, native.height + native.height % 2)
    return native


def _check_lengths(asked: Asked, config: SampleConfig) -> None:
    for number, shot in enumerate(asked.shots, 1):
        if shot.seconds > config.max_seconds:
            raise ConfigError(
                f"shot {number}: seconds lie in 0 to {config.max_seconds:g} (max_seconds), got {shot.seconds:g}"
            )
    if asked.seconds is None:
        return
    if not 0 < asked.seconds <= config.max_seconds:
        raise ConfigError(f"--seconds lies in 0 to {config.max_seconds:g} (max_seconds), got {asked.seconds:g}")
    if asked.out.suffix.lower() == ".png":
        raise ConfigError("--seconds is for videos, and --out ends in .png")
