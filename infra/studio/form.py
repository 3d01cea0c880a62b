"""What a person asks for on the page, as the requests that the command line would make of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from infra.prompts import under
from infra.sample_request import Asked, make_asked
from schemas import Config, ConfigError

MAX_RESULTS = 16
"""Of one form."""
MAX_SHOTS = 32
"""Of one form."""
_NUM_REFERENCES: Mapping[str, tuple[int, int]] = {"text": (0, 0), "shots": (0, 1), "loop": (0, 1), "connect": (2, 2)}
"""Fewest and most references of a mode; one where it is not listed."""
_TAKES_PICTURE = frozenset({"image", "edit", "inpaint"})
_TAKES_VIDEO = frozenset({"shots", "extend", "connect", "loop", "edit", "inpaint"})
_OF_A_SHOT = re.compile(r"shot (\d+): (seconds)?")
_FIELDS = (
    ("prompt", r"prompt|policy"),
    ("size", r"^size|sides lie|even sides|device cannot hold"),
    ("seconds", r"^seconds|max_seconds|a loop of|begins with a picture"),
    ("region", r"the region|^inpaint"),
    ("variation_seed", r"the variation seed"),
    ("variation", r"the variation"),
    ("seed", r"the seed"),
    ("strength", r"the strength"),
    ("second", r"the second reference"),
    ("reference", r"a clip of|the reference"),
)
"""Which field a sentence is about: the first whose words are in it."""


C = TypeVar("C", bound=Config)


class FieldError(ConfigError):
    """What is wrong with one field of the form."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture or a video on this machine that a form may name."""

    path: Path
    is_image: bool
    width: int
    height: int
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """What the page is told of it."""
        return {"is_image": self.is_image, "width": self.width, "height": self.height, "seconds": self.seconds}


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half a character") from error
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""What a person wrote."""


class FormShot(Config):
    """One of several shots."""

    prompt: Text
    seconds: float = Field(gt=0, allow_inf_nan=False)
    cut: bool = False
    """Begins anew."""
    as_written: Text | None = None
    """What the person had written, where `prompt` is that written out: it then stands for the subject, too."""

    @property
    def words(self) -> str:
        """The person's own."""
        return self.prompt if self.as_written is None else self.as_written


class Form(Config):
    """What a person asks for."""

    mode: Literal["text", "shots", "image", "extend", "connect", "loop", "edit", "inpaint"]
    prompt: Text
    """Of shots: their subject; may be empty there."""
    as_written: Text | None = None
    """What the person had written, where `prompt` is that written out."""
    shots: tuple[FormShot, ...] = Field((), max_length=MAX_SHOTS)
    """Of `shots`, in order."""
    kind: Literal["video", "picture"] = "video"
    """What is made from a prompt alone; elsewhere it follows from the mode and the reference."""
    size: str | None = None
    """`WIDTHxHEIGHT`; that of the reference, or the config's, without it."""
    seconds: float | None = None
    seed: int = 0
    direction: Literal["forward", "backward", "both"] = "forward"
    """Of `extend`."""
    reference: str | None = None
    """Its id: `given/…` of an upload, `made/…` of a result."""
    second: str | None = None
    """The id of that to which `connect` leads."""
    strength: float | None = None
    """Of `edit`."""
    region: str | None = None
    """Of `inpaint`: `X,Y,WIDTHxHEIGHT`, with `@START-END` in seconds."""
    results: int = Field(1, ge=1, le=MAX_RESULTS)
    variation: float | None = None
    """How far the results are from the seed's own; they have other seeds without it."""
    variation_seed: int = 1
    """Of the first one."""
    draft: bool = False

    @property
    def words(self) -> str:
        """The person's own."""
        return self.prompt if self.as_written is None else self.as_written

    @property
    def longer(self) -> tuple[str, ...]:
        """The prompts that are made, where one was written out; empty where all are the person's own words."""
        if self.mode != "shots":
            return () if self.as_written is None else (self.prompt,)
        if self.as_written is None and all(shot.as_written is None for shot in self.shots):
            return ()
        return tuple(
            shot.prompt if shot.as_written is not None else under(self.prompt, shot.prompt) for shot in self.shots
        )

    def is_video(self, reference: Reference | None) -> bool:
        """Whether a video is made; else it is a picture."""
        if self.mode in ("edit", "inpaint") and reference is not None:
            return not reference.is_image
        return self.mode != "text" or self.kind == "video"


def read_form(values: object) -> Form:
    """Check the fields of a form, each by itself.

    Raises:
        FieldError: One of them is wrong.
    """
    return read_as(Form, values)


def read_as(kind: type[C], values: object) -> C:
    """Check the fields of what the page sends, each by itself.

    Raises:
        FieldError: One of them is wrong.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = first["loc"]
        message = first["msg"].removeprefix("Value error, ")
        message = f"{message[0].lower()}{message[1:]}"
        names = [f"shot {part + 1}" if isinstance(part, int) else part.replace("_", " ") for part in place]
        # A shot is named by its number alone.
        names = names[1:] if len(names) > 1 else names
        raise FieldError(".".join(map(str, place)), ": ".join([*names, message])) from error


def references_of(form: Form, find: Callable[[str], Reference | None]) -> tuple[Reference, ...]:
    """What a form names, checked against its mode.

    Args:
        form: With none, one or two ids.
        find: Gives what an id stands for.

    Raises:
        FieldError: One is missing, unknown or of the wrong kind.
    """
    fewest, most = _NUM_REFERENCES.get(form.mode, (1, 1))
    found: list[Reference] = []
    for field, name in (("reference", form.reference), ("second", form.second))[:most]:
        if name is None:
            if len(found) < fewest:
                what = "a video" if form.mode not in _TAKES_PICTURE else "a picture"
                what = "a picture or a video" if form.mode in ("edit", "inpaint") else what
                raise FieldError(field, f"{what} is missing")
            continue
        reference = find(name)
        if reference is None:
            raise FieldError(field, "this reference is no longer there: give it again")
        if reference.is_image and form.mode not in _TAKES_PICTURE:
            raise FieldError(field, "a video is wanted here, and this is a picture")
        if not reference.is_image and form.mode not in _TAKES_VIDEO:
            raise FieldError(field, "a picture is wanted here, and this is a video")
        found.append(reference)
    return tuple(found)


def asked_of(form: Form, references: tuple[Reference, ...], out: Path, number: int) -> Asked:
    """One of the results of a form, as the command line would ask for it in the person's own words.

    Args:
        form: Whose references are checked.
        references: Those of the form.
        out: Where it is written.
        number: Which of the results it is, from 0.

    Raises:
        ConfigError: Fields do not go together.
    """
    mode = form.mode
    if mode == "inpaint" and form.region is None:
        raise FieldError("region", "draw the part that is to be made anew")
    if mode == "shots" and not form.shots:
        raise FieldError("shots", "there is no shot")
    if form.draft and mode in ("edit", "inpaint"):
        raise FieldError("draft", f"{mode} begins with a clip, and a draft with noise: they do not go together")
    is_video = form.is_video(references[0] if references else None)
    values: dict[str, Any] = {"prompt": form.words, "out": out, "size": form.size, "seed": form.seed}
    if references:
        values["image" if references[0].is_image else "video"] = references[0].path
    if is_video and mode not in ("shots", "edit", "inpaint"):
        values["seconds"] = form.seconds
    match mode:
        case "shots":
            values["shots"] = [{"prompt": one.words, "seconds": one.seconds, "cut": one.cut} for one in form.shots]
        case "extend":
            values["extend"] = form.direction
        case "connect":
            values["connect"] = references[1].path
        case "loop":
            values["loop"] = True
        case "edit":
            values["strength"] = form.strength
        case "inpaint":
            values["inpaint"] = form.region
    if form.variation is None:
        values["seed"] = form.seed + number
    else:
        values |= {"variation": form.variation, "variation_seed": form.variation_seed + number}
    return make_asked(values, "the form")


def field_of(error: ConfigError) -> str:
    """The field that a mistake is about; empty where it is about none."""
    if isinstance(error, FieldError):
        return error.field
    if found := _OF_A_SHOT.match(str(error)):
        return f"shots.{int(found[1]) - 1}.{found[2] or 'prompt'}"
    return next((field for field, words in _FIELDS if re.search(words, str(error))), "")


def told(text: str, asked: Asked | None = None) -> str:
    """A sentence for the page: paths of this machine and names of options in the words of the form.

    Args:
        text: What the command line would say.
        asked: Whose paths may stand in it.
    """
    if asked is not None:
        names = {asked.image: "the reference", asked.video: "the reference", asked.connect: "the second reference"}
        for path, name in {**names, asked.out: "the result"}.items():
            text = text.replace(str(path), name) if path is not None else text
    text = text.removeprefix("command line: ").removeprefix("the form: ")
    return re.sub(r"--(size|seconds|seed|inpaint)\b", r"\1", text)
