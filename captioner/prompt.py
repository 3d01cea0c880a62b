"""Prompts: files of plain text, known by the digest of what they say."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from schemas import ConfigError, digest

FOLDER = Path(__file__).parent / "prompts"
_MAX_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a captioner is asked."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """Of the text: another wording makes other captions."""
        return digest(self.text)


def find_prompt(name: str, key: str = "caption.prompt") -> Prompt:
    """A prompt of ours by its name, or any text file by its path.

    Args:
        name: The one or the other.
        key: The config key that names it, for messages.

    Raises:
        ConfigError: There is none, or it is no text.
    """
    own = FOLDER / f"{name}.md"
    path = own if own.parent == FOLDER and own.is_file() else Path(name).expanduser()
    if not path.is_file():
        names = sorted(found.stem for found in FOLDER.glob("*.md"))
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise ConfigError(f"{key}: there is no prompt {name!r} and no such file; {hint}")
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path}: cannot be read: {error}") from error
    if not 0 < len(text) <= _MAX_CHARACTERS:
        raise ConfigError(f"{key}: {path}: has {len(text)} characters, and 1 to {_MAX_CHARACTERS} are allowed")
    return Prompt(path.stem, text)
