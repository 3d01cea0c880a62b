"""All that a file says of where it comes from: signature, record, watermark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import MediaError
from trainer.sampling.credentials import Credentials, State, read_credentials
from trainer.sampling.provenance import find_record
from trainer.sampling.watermark import Evidence
from trainer.sampling.watermark.reading import look_into


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found in a file."""

    credentials: Credentials | str
    """Of its C2PA manifest; a sentence where it cannot be read."""
    plain: Mapping[str, Any] | None
    """The record in its metadata, which is not signed."""
    watermark: Evidence | str
    """A sentence where its pictures cannot be read."""

    @property
    def record(self) -> Mapping[str, Any] | None:
        """The signed record; the one in the metadata without it."""
        signed = self.credentials.record if isinstance(self.credentials, Credentials) else None
        return signed or self.plain

    @property
    def is_broken(self) -> bool:
        """Whether there is a signature that does not hold."""
        state = self.credentials.state if isinstance(self.credentials, Credentials) else State.invalid
        return state in (State.tampered, State.invalid)

    @property
    def says_ai(self) -> bool:
        """Whether anything says that it is made by AI."""
        signed = isinstance(self.credentials, Credentials) and self.credentials.says_ai
        marked = isinstance(self.watermark, Evidence) and self.watermark.is_found
        return signed or marked or self.record is not None

    @property
    def verdict(self) -> str:
        """In a few words."""
        if isinstance(self.credentials, Credentials) and self.credentials.state is State.tampered:
            return "TAMPERED: it is not as it was signed" + (", and says that it is made by AI" if self.says_ai else "")
        return "made by AI" if self.says_ai else "nothing says that it is made by AI"

    def lines(self) -> list[str]:
        """A line on each of the three."""
        return [f"C2PA: {_signature(self.credentials)}", f"record: {self._record()}", f"watermark: {self._mark()}"]

    def _record(self) -> str:
        if isinstance(self.credentials, Credentials) and self.credentials.record is not None:
            if self.plain is not None and dict(self.plain) != dict(self.credentials.record):
                return "in the manifest; the one in the metadata is another"
            return "in the manifest"
        return "only in the metadata, which anybody can write" if self.plain is not None else "none"

    def _mark(self) -> str:
        mark = self.watermark
        if isinstance(mark, str):
            return f"cannot be looked for: {mark}"
        what = f"score {mark.score:.1f} in {mark.num_frames} frame{'s' if mark.num_frames != 1 else ''}"
        if mark.is_found:
            return f"found, {what}; by chance in fewer than {mark.chance:.0e} of files"
        return f"not found, {what}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        signed, mark = self.credentials, self.watermark
        told: dict[str, Any] = {"says_ai": self.says_ai, "verdict": self.verdict}
        if isinstance(signed, Credentials):
            told["c2pa"] = {
                "state": signed.state.value,
                "signer": signed.signer,
                "is_trusted": signed.is_trusted,
                "problems": list(signed.problems),
            }
        else:
            told["c2pa"] = {"state": State.invalid.value, "problems": [signed]}
        told["record"] = None if self.record is None else dict(self.record)
        told["record_is_signed"] = isinstance(signed, Credentials) and signed.record is not None
        if isinstance(mark, Evidence):
            told["watermark"] = {"is_found": mark.is_found, "score": round(mark.score, 2), "chance": mark.chance}
        else:
            told["watermark"] = {"is_found": False, "error": mark}
        return told


def _signature(found: Credentials | str) -> str:
    if isinstance(found, str):
        return f"a manifest that cannot be read: {found}"
    if found.state is State.absent:
        return "absent"
    by = f"signed by {found.signer!r}" if found.signer else "signed by nobody"
    trust = "trusted" if found.is_trusted else "untrusted: its certificate leads to none that was named as trusted"
    problems = f" ({', '.join(found.problems)})" if found.problems else ""
    return f"{found.state}{problems}, {by}, {trust}"


def inspect(path: Path, key: str, trust: str | None = None) -> Findings:
    """Look at a file, which is taken for hostile.

    Args:
        path: A video or a picture.
        key: Whose watermark is looked for.
        trust: PEM: certificates of those whose signatures count.

    Raises:
        ConfigError: It is no video and no picture, or cannot be opened.
    """
    plain = find_record(path)
    credentials: Credentials | str
    watermark: Evidence | str
    try:
        credentials = read_credentials(path, trust)
    except MediaError as error:
        credentials = str(error)
    try:
        watermark = look_into(path, key)
    except MediaError as error:
        watermark = str(error)
    return Findings(credentials=credentials, plain=plain, watermark=watermark)
