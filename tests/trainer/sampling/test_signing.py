"""Signed files: valid as they are, trusted where the reader says so, tampered with when anything is changed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from schemas import ConfigError, MediaError
from trainer.sampling.certificate import RUN_SIGNER, run_credential
from trainer.sampling.config import ProvenanceConfig, SignerConfig
from trainer.sampling.credentials import State, credentials_of, read_credentials
from trainer.sampling.provenance import COMPOSITE_TYPE, SOURCE_TYPE, read_record, record_of
from trainer.sampling.request import Frames
from trainer.sampling.signing import Signer, manifest_of
from trainer.sampling.writing import Output, Press, write

RECORD = record_of({"prompt": "a cat é\n\U0001f534", "seed": 7, "mode": "text", "model_digest": "d" * 32})
NAMES = ("a.mp4", "a.png")


def gradient(num: int) -> Frames:
    rows, columns = np.mgrid[0:64, 0:96]
    return np.stack([np.stack([rows * 3, columns * 2, rows + columns + k], -1) for k in range(num)]).astype(np.uint8)


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    press = Press(ProvenanceConfig())
    for name in NAMES:
        write(tmp_path / name, gradient(6 if name.endswith("mp4") else 1), Fraction(24), 17, RECORD, press)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(NAMES)
    return tmp_path


def pem_files(folder: Path) -> tuple[SignerConfig, str]:
    """A signer of the user's own, and the certificate to be trusted."""
    made = run_credential()
    (folder / "chain.pem").write_bytes(made.chain)
    (folder / "key.pem").write_bytes(made.key)
    root = x509.load_pem_x509_certificates(made.chain)[1]
    pem = root.public_bytes(serialization.Encoding.PEM).decode()
    return SignerConfig(certificate=str(folder / "chain.pem"), key=str(folder / "key.pem")), pem


@pytest.mark.parametrize("name", NAMES)
def test_a_run_without_a_signer_is_valid_and_untrusted(signed: Path, name: str) -> None:
    found = read_credentials(signed / name)
    assert (found.state, found.is_trusted, found.signer) == (State.valid, False, RUN_SIGNER)
    assert found.record == RECORD == read_record(signed / name)
    assert found.says_ai
    assert found.problems == ()


def test_the_users_own_signer_is_trusted_by_who_trusts_it(tmp_path: Path) -> None:
    config, root = pem_files(tmp_path)
    write(tmp_path / "a.mp4", gradient(3), Fraction(24), 17, RECORD, Press(ProvenanceConfig(signer=config)))
    assert read_credentials(tmp_path / "a.mp4", root).is_trusted
    assert not read_credentials(tmp_path / "a.mp4").is_trusted
    stranger = x509.load_pem_x509_certificates(run_credential().chain)[1]
    other = stranger.public_bytes(serialization.Encoding.PEM).decode()
    assert not read_credentials(tmp_path / "a.mp4", other).is_trusted


@pytest.mark.parametrize("name", NAMES)
def test_changed_pixels_are_seen(signed: Path, name: str) -> None:
    data = bytearray((signed / name).read_bytes())
    at = data.rindex(b"mdat" if name.endswith("mp4") else b"IDAT") + 200
    data[at] ^= 1
    (signed / name).write_bytes(data)
    found = read_credentials(signed / name)
    assert found.state is State.tampered
    assert any("mismatch" in problem for problem in found.problems)
    assert found.says_ai


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_prompt_is_seen(signed: Path, name: str) -> None:
    data = (signed / name).read_bytes()
    assert data.count(b"a cat") >= 2
    (signed / name).write_bytes(data.replace(b"a cat", b"a dog"))
    assert read_credentials(signed / name).state is State.tampered


def test_no_key_is_left_and_two_runs_share_none(signed: Path) -> None:
    first, second = run_credential(), run_credential()
    assert first.key != second.key
    assert "PRIVATE" not in repr(first)
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in signed.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"certificate": "gone.pem"}, r"signer.certificate: gone.pem cannot be read", id="no certificate"),
        pytest.param({"key": "gone.pem"}, r"signer.key: gone.pem cannot be read", id="no key"),
        pytest.param({"key": "text"}, r"signer.key: .*text holds no PEM of a key", id="text"),
        pytest.param({"certificate": "key.pem"}, r"signer.certificate: .*holds no PEM of a certificate", id="swapped"),
        pytest.param({"algorithm": "ed25519"}, r"chain.pem: cannot sign: ", id="another algorithm"),
        pytest.param({"key": "other.pem"}, r"chain.pem: cannot sign: ", id="another's key"),
        pytest.param(
            {"certificate": "plain.pem", "key": "plain-key.pem"}, "plain.pem: cannot sign: ", id="a web page's"
        ),
    ],
)
def test_a_signer_that_cannot_sign_is_found_before_anything_is_made(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    config, _ = pem_files(tmp_path)
    (tmp_path / "text").write_text("no key")
    (tmp_path / "other.pem").write_bytes(_pem_key(ed25519.Ed25519PrivateKey.generate()))
    _plain_certificate(tmp_path)
    values = {
        name: value if value == "gone.pem" or name == "algorithm" else str(tmp_path / value)
        for name, value in change.items()
    }
    with pytest.raises(ConfigError, match=message) as caught:
        Press(ProvenanceConfig(signer=SignerConfig.model_validate({**config.model_dump(), **values})))
    assert "\n" not in str(caught.value)


def _pem_key(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _plain_certificate(folder: Path) -> None:
    """Of itself, for nothing in particular: C2PA does not allow it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plain")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "plain.pem").write_bytes(pem)
    (folder / "plain-key.pem").write_bytes(_pem_key(key))


def test_what_was_done_is_told_by_what_was_given() -> None:
    def told(mode: str, num: int) -> tuple[list[str], list[str | None], list[str]]:
        given = [{"name": f"{k}.mp4", "sha256": "0" * 64} for k in range(num)]
        manifest = manifest_of(record_of({"mode": mode, **({"given": given} if given else {})}), "a.mp4")
        actions = manifest["assertions"][0]["data"]["actions"]
        names = [action["action"].removeprefix("c2pa.") for action in actions]
        types = [action["digitalSourceType"] for action in actions if "digitalSourceType" in action]
        return names, types, [one["relationship"] for one in manifest["ingredients"]]

    assert told("text", 0) == (["created"], [SOURCE_TYPE], [])
    assert told("image", 1) == (["created"], [SOURCE_TYPE], ["inputTo"])
    assert told("edit", 1) == (["opened", "edited"], [COMPOSITE_TYPE], ["parentOf"])
    assert told("loop", 1) == (["opened", "edited"], [COMPOSITE_TYPE], ["parentOf"])
    assert told("connect", 2) == (["created", "placed"], [COMPOSITE_TYPE], ["componentOf"] * 2)


@pytest.mark.parametrize(("mode", "num"), [("image", 1), ("forward", 1), ("connect", 2), ("loop", 0)])
def test_a_manifest_with_what_was_given_is_valid(tmp_path: Path, mode: str, num: int) -> None:
    given = [{"name": f"{k}.mp4", "sha256": f"{k}" * 64} for k in range(num)]
    record = record_of({"mode": mode, "given": given})
    write(tmp_path / "a.png", gradient(1), Fraction(24), 17, record, Press(ProvenanceConfig()))
    found = read_credentials(tmp_path / "a.png")
    assert (found.state, found.problems, found.says_ai) == (State.valid, (), True)


def test_frames_that_come_one_by_one_give_the_same_pixels_and_metadata(tmp_path: Path) -> None:
    frames, press = gradient(7), Press(ProvenanceConfig())
    write(tmp_path / "a.mp4", frames, Fraction(24), 17, RECORD, press)
    with Output(tmp_path / "b.mp4", Fraction(24), 17, RECORD, press) as output:
        for start in range(0, 7, 3):
            output.add(frames[start : start + 3])
    assert decoded(tmp_path / "a.mp4") == decoded(tmp_path / "b.mp4")


def decoded(path: Path) -> bytes:
    import av

    with av.open(str(path)) as container:
        return b"".join(frame.to_ndarray().tobytes() for frame in container.decode(video=0))


@pytest.mark.parametrize("name", NAMES)
def test_an_output_that_fails_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"before")

    def broken() -> None:
        with Output(tmp_path / name, Fraction(24), 17, RECORD, Press(ProvenanceConfig())) as output:
            output.add(gradient(1))
            raise KeyError("on purpose")

    with pytest.raises(KeyError):
        broken()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"before")]


def test_files_without_a_manifest_are_told(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", gradient(3), Fraction(24), 17, RECORD)
    (tmp_path / "text").write_text("no media at all")
    for name in ("a.mp4", "text"):
        assert read_credentials(tmp_path / name).state is State.absent


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_end_in_an_answer(signed: Path, tmp_path: Path, name: str) -> None:
    data = (signed / name).read_bytes()
    rng = np.random.default_rng(1)
    states, said = [], []
    for number in range(5):
        hostile = bytearray(data if number % 2 else data[: int(rng.integers(1, len(data)))])
        for at in rng.integers(0, len(hostile), 1 + 6 * number):
            hostile[at] = int(rng.integers(256))
        (tmp_path / f"hostile-{name}").write_bytes(hostile)
        try:
            states.append(read_credentials(tmp_path / f"hostile-{name}").state)
        except MediaError as error:
            said.append(str(error))
    assert State.valid not in states
    assert len(states) + len(said) == 5
    assert not any("\n" in sentence for sentence in said)


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"manifests": [], "active_manifest": 3},
        {"manifests": {"a": "b"}, "active_manifest": "a", "validation_state": "Valid"},
        {"manifests": {"a": {"assertions": [7, {"label": None}, {"label": "c2pa.actions", "data": {"actions": [1]}}]}}}
        | {"active_manifest": "a", "validation_status": ["x", {"code": 5}]},
    ],
)
def test_reports_of_any_content_are_read(report: dict[str, object]) -> None:
    found = credentials_of(json.loads(json.dumps(report)))
    assert not found.says_ai
    assert found.record is None


def test_a_signer_signs_more_than_once(tmp_path: Path) -> None:
    signer: Callable[..., None] = Signer(None).sign
    write(tmp_path / "a.png", gradient(1), Fraction(24), 17, RECORD)
    for number in range(3):
        signer(tmp_path / "a.png", tmp_path / f"{number}.png", manifest_of(RECORD, "a.png"))
        assert read_credentials(tmp_path / f"{number}.png").state is State.valid
