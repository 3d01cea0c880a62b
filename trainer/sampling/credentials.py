"""Read what a file's C2PA manifest says, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.media import DecoderChild, MediaLimits, opened
from trainer.sampling.provenance import AI_TYPES, ASSERTION, asserted

_UNTRUSTED = "signingCredential.untrusted"
_CHANGED = ("mismatch", "missing")
_MANIFEST_S = 120.0


class State(StrEnum):
    """What became of a manifest."""

    absent = "absent"
    """There is none."""
    valid = "valid"
    """The file is as it was signed."""
    tampered = "tampered"
    """The file, or the manifest, was changed after it was signed."""
    invalid = "invalid"
    """The manifest breaks C2PA's rules in another way: an expired certificate, a wrong structure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a file's C2PA manifest says."""

    state: State
    signer: str | None = None
    """Name on the certificate."""
    is_trusted: bool = False
    """Whether the certificate leads to one that the reader named."""
    problems: tuple[str, ...] = ()
    """C2PA's codes of what is wrong."""
    record: Mapping[str, Any] | None = None
    """Ours, where `rushes` made the file."""
    says_ai: bool = False
    """Whether it says that a trained model made the file or a part of it."""


def read_credentials(path: Path, trust: str | None = None) -> Credentials:
    """Read the manifest of a file, which is taken for hostile.

    Args:
        path: Any file.
        trust: PEM: certificates of those whose signatures count.

    Raises:
        MediaError: The file cannot be read, or what is in it as a manifest is none.
    """
    child = DecoderChild("trainer.sampling.inspector", MediaLimits())
    try:
        with opened(str(path)) as fd:
            report = child.call("credentials", {"trust": trust}, fd, job_s=_MANIFEST_S).header["report"]
    finally:
        child.close()
    return credentials_of(report)


def credentials_of(report: Mapping[str, Any] | None) -> Credentials:
    """What a report of the C2PA library means; None where it found no manifest.

    Args:
        report: Its JSON; values in it are the file's own and may be anything.
    """
    if report is None:
        return Credentials(state=State.absent)
    manifests, active = report.get("manifests"), report.get("active_manifest")
    manifest = manifests.get(active) if isinstance(manifests, dict) and isinstance(active, str) else None
    manifest = manifest if isinstance(manifest, dict) else {}
    state = report.get("validation_state")
    problems = tuple(code for code in _codes(report) if code != _UNTRUSTED)
    by = manifest.get("signature_info")
    by = by if isinstance(by, dict) else {}
    signer = by.get("common_name") or by.get("issuer")
    return Credentials(
        state=_state(state, problems),
        signer=signer if isinstance(signer, str) else None,
        is_trusted=state == "Trusted",
        problems=problems,
        record=next(filter(None, map(asserted, _data(manifest, ASSERTION))), None),
        says_ai=any(
            isinstance(action, dict) and action.get("digitalSourceType") in AI_TYPES for action in _actions(manifest)
        ),
    )


def _state(state: object, problems: tuple[str, ...]) -> State:
    if state in ("Valid", "Trusted"):
        return State.valid
    return State.tampered if any(word in code for code in problems for word in _CHANGED) else State.invalid


def _codes(report: Mapping[str, Any]) -> Iterator[str]:
    for status in report.get("validation_status") or []:
        if isinstance(status, dict) and isinstance(status.get("code"), str):
            yield status["code"]


def _data(manifest: Mapping[str, Any], label: str) -> list[Any]:
    found = [one for one in manifest.get("assertions") or [] if isinstance(one, dict)]
    return [one.get("data") for one in found if isinstance(one.get("label"), str) and one["label"].startswith(label)]


def _actions(manifest: Mapping[str, Any]) -> Iterator[Any]:
    for data in _data(manifest, "c2pa.actions"):
        if isinstance(data, dict) and isinstance(data.get("actions"), list):
            yield from data["actions"]
