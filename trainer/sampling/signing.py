"""Sign outputs by C2PA: a manifest in the file says who made it how, and no byte can change without its being seen.

Nothing is asked of a network: there is no time stamp from elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import c2pa
import cv2
import numpy as np

from schemas import ConfigError
from trainer.sampling.certificate import Credential, run_credential
from trainer.sampling.config import SignerConfig
from trainer.sampling.provenance import ASSERTION, COMPOSITE_TYPE, SOURCE_TYPE, assertion_of

_TYPES = {".mp4": "video/mp4", ".png": "image/png"}
_SETTINGS = {
    "version": 1,
    # A signer of whom this library knows nothing is the user's choice, not a mistake.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False},
    "builder": {"thumbnail": {"enabled": False}},
}
_MADE_ANEW = frozenset({"text", "image", "loop", "shots"})
"""Modes whose output shows nothing that was given, but for a first frame."""


class Signer:
    """Signs files.

    Args:
        config: Who signs; without it a certificate is made, whose key nobody ever sees.

    Raises:
        ConfigError: Certificate and key cannot be read, or do not go together.
    """

    def __init__(self, config: SignerConfig | None) -> None:
        self._where = "the certificate of the run" if config is None else f"provenance.signer: {config.certificate}"
        self._credential = run_credential() if config is None else _read(config)
        # A mistake is found before hours of work, not after.
        self._sign("image/png", io.BytesIO(_trial()), io.BytesIO(), manifest_of({}, "trial"))

    def sign(self, source: Path, target: Path, manifest: Mapping[str, Any]) -> None:
        """Write a signed copy of a file.

        Args:
            source: An MP4 or a PNG of ours.
            target: Ends alike.
            manifest: As `manifest_of` makes it.

        Raises:
            ConfigError: The signer is not one that C2PA allows.
            OSError: The file cannot be written.
        """
        with source.open("rb") as given, target.open("w+b") as made:
            self._sign(_TYPES[source.suffix.lower()], given, made, manifest)

    def _sign(self, kind: str, given: BinaryIO, made: BinaryIO, manifest: Mapping[str, Any]) -> None:
        used = self._credential
        info = c2pa.C2paSignerInfo(used.algorithm, used.chain, used.key, None)
        try:
            with (
                c2pa.Signer.from_info(info) as signer,
                c2pa.Context.from_dict(_SETTINGS) as context,
                c2pa.Builder(dict(manifest), context) as builder,
            ):
                builder.sign(signer, kind, given, made)
        except c2pa.C2paError as error:
            raise ConfigError(f"{self._where}: cannot sign: {error}") from error


def _trial() -> bytes:
    """A PNG of one pixel."""
    _, data = cv2.imencode(".png", np.zeros((1, 1), np.uint8))
    return data.tobytes()


def _read(config: SignerConfig) -> Credential:
    found = []
    for name, path, mark in (("certificate", config.certificate, b"CERTIFICATE"), ("key", config.key, b"PRIVATE KEY")):
        try:
            pem = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"provenance.signer.{name}: {path} cannot be read: {error.strerror}") from error
        if b"-----BEGIN " not in pem or mark not in pem:
            raise ConfigError(f"provenance.signer.{name}: {path} holds no PEM of a {name}")
        if b"\0" in pem:
            raise ConfigError(f"provenance.signer.{name}: {path} is not text")
        found.append(pem)
    return Credential(found[0], found[1], config.algorithm)


def manifest_of(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a file says of itself in C2PA's words.

    Source: C2PA technical specification 2.2, sections 10.3 and 18.15 ("Actions").

    Args:
        record: As `record_of` makes it; it is in the manifest as a whole.
        name: Of the file.
    """
    given = [_ingredient(file, number) for number, file in enumerate(record.get("given", []))]
    return {
        "claim_generator_info": [{"name": "rushes", "version": version("rushes")}],
        "title": name,
        "ingredients": [{**one, "relationship": how} for one, how in zip(given, _relations(record), strict=True)],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": _actions(record, [one["instance_id"] for one in given])}},
            {"label": ASSERTION, "data": assertion_of(record)},
        ],
    }


def _ingredient(file: Mapping[str, str], number: int) -> dict[str, Any]:
    return {"title": file["name"], "instance_id": f"rushes:{number}:sha256:{file['sha256']}"}


def _relations(record: Mapping[str, Any]) -> list[str]:
    """What each given file is to the output."""
    num = len(record.get("given", []))
    if record.get("mode") in _MADE_ANEW and not (record.get("mode") == "loop" and num):
        return ["inputTo"] * num
    return ["parentOf"] if num == 1 else ["componentOf"] * num


def _actions(record: Mapping[str, Any], ingredients: list[str]) -> list[dict[str, Any]]:
    """What was done, in order."""
    agent = {"softwareAgent": {"name": "rushes"}}
    relations = set(_relations(record))
    if "parentOf" in relations:
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ingredients}}
        return [opened, {"action": "c2pa.edited", "digitalSourceType": COMPOSITE_TYPE, **agent}]
    if "componentOf" in relations:
        created = {"action": "c2pa.created", "digitalSourceType": COMPOSITE_TYPE, **agent}
        return [created, {"action": "c2pa.placed", "parameters": {"ingredientIds": ingredients}}]
    created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, **agent}
    return [created | ({"parameters": {"ingredientIds": ingredients}} if ingredients else {})]
