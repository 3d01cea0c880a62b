"""`rushes verify`: what each of signature, record and watermark says, together and alone."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from PIL import Image

from infra.cli.main import main
from infra.demo.tiny import tiny_film
from trainer.sampling.certificate import run_credential
from trainer.sampling.config import ProvenanceConfig, SignerConfig
from trainer.sampling.provenance import record_of
from trainer.sampling.request import Frames
from trainer.sampling.writing import Press, write

RECORD = record_of({"prompt": "a red\x1b[31m circle", "seed": 7, "mode": "text", "model_digest": "d" * 32})


def waves(num: int) -> Frames:
    rows, columns = np.mgrid[0:192, 0:256]
    shown = [np.stack([rows + k, 90 + 60 * np.sin(columns / (9 + k)), columns / 2], -1) for k in range(num)]
    return np.stack(shown).astype(np.uint8)


def write_film(path: Path, config: ProvenanceConfig | None = None) -> Path:
    num = 6 if path.suffix == ".mp4" else 1
    write(path, waves(num), Fraction(24), 17, RECORD, Press(config or ProvenanceConfig()))
    return path


def verify(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str]:
    status = main(["verify", *map(str, argv)])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return status, said.out + said.err


@pytest.mark.parametrize("name", ["a.mp4", "a.png"])
def test_an_output_as_it_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    status, said = verify(capsys, write_film(tmp_path / name))
    assert status == 0
    lines = said.splitlines()
    assert lines[0] == f"{tmp_path / name}: made by AI"
    assert lines[1].startswith("  C2PA: valid, signed by 'a run without a signer of its own', untrusted")
    assert lines[2] == "  record: in the manifest"
    assert lines[3].startswith("  watermark: found, score ")
    assert "a red\\x1b[31m circle" in said


def test_the_readers_own_authority_makes_a_signer_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run_credential()
    (tmp_path / "chain.pem").write_bytes(made.chain)
    (tmp_path / "key.pem").write_bytes(made.key)
    root = x509.load_pem_x509_certificates(made.chain)[1].public_bytes(serialization.Encoding.PEM)
    (tmp_path / "root.pem").write_bytes(root)
    signer = SignerConfig(certificate=str(tmp_path / "chain.pem"), key=str(tmp_path / "key.pem"))
    path = write_film(tmp_path / "a.png", ProvenanceConfig(signer=signer, watermark=False))
    status, said = verify(capsys, path, "--trust", tmp_path / "root.pem", "--json")
    told = json.loads(said)
    assert (status, told["c2pa"]["state"], told["c2pa"]["is_trusted"]) == (0, "valid", True)
    assert not told["watermark"]["is_found"]


@pytest.mark.parametrize("name", ["a.mp4", "a.png"])
def test_a_file_that_was_changed_is_called_tampered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = write_film(tmp_path / name)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"mdat" if name == "a.mp4" else b"IDAT") + 3000] ^= 1
    path.write_bytes(data)
    status, said = verify(capsys, path)
    assert status == 1
    assert said.startswith(f"{path}: TAMPERED: it is not as it was signed, and says that it is made by AI")
    assert "C2PA: tampered (assertion." in said


def test_the_watermark_alone_says_it_where_everything_else_was_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with av.open(str(write_film(tmp_path / "a.mp4"))) as given, av.open(str(tmp_path / "b.mp4"), "w") as made:
        stream = made.add_stream("libx264", 24, options={"crf": "28"})
        stream.width, stream.height, stream.pix_fmt = 256, 192, "yuv420p"
        for number, frame in enumerate(given.decode(video=0)):
            frame.pts, frame.time_base = number, Fraction(1, 24)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    status, said = verify(capsys, tmp_path / "b.mp4")
    assert status == 0
    assert said.startswith(f"{tmp_path / 'b.mp4'}: made by AI\n  C2PA: absent\n  record: none\n  watermark: found")
    status, said = verify(capsys, tmp_path / "b.mp4", "--key", "another")
    assert status == 2
    assert "nothing says that it is made by AI: C2PA: absent; record: none; watermark: not found" in said


def test_a_record_without_a_signature_is_called_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.png", waves(1), Fraction(24), 17, RECORD)
    status, said = verify(capsys, tmp_path / "a.png")
    assert status == 0
    assert "C2PA: absent\n  record: only in the metadata, which anybody can write\n  watermark: not found" in said


def test_what_says_nothing_is_one_sentence_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_film(tmp_path / "film.mp4", num_frames=8, cuts=(), size=(40, 32), fps=8)
    Image.fromarray(waves(1)[0]).save(tmp_path / "photo.jpg")
    for name in ("film.mp4", "photo.jpg"):
        status, said = verify(capsys, tmp_path / name)
        assert status == 2
        assert f"{name}: nothing says that it is made by AI: C2PA: absent; record: none; watermark: not found" in said
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["gone.mp4"], "gone.mp4: cannot be read", id="not there"),
        pytest.param(["text.mp4"], "text.mp4: ", id="no media"),
        pytest.param(["empty.png"], "empty.png: ", id="empty"),
        pytest.param(["ok.png", "--trust", "gone.pem"], "--trust: gone.pem: cannot be read", id="no trust"),
        pytest.param(["ok.png", "--trust", "text.mp4"], "--trust: text.mp4: is no PEM file", id="no certificates"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("no media at all")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.fromarray(waves(1)[0]).save(tmp_path / "ok.png")
    status, said = verify(capsys, *argv)
    assert status == 2
    assert message in said


def test_pictures_that_do_not_decode_leave_the_rest_to_be_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_film(tmp_path / "a.png")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"IDAT") + 20])
    status, said = verify(capsys, path)
    assert status == 1
    assert "watermark: cannot be looked for: " in said
