"""A certificate for one run, where the config names no signer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

RUN_SIGNER = "a run without a signer of its own"
"""Name on the certificate."""
_DAYS = 3653
"""Without a time stamp from elsewhere a signature is worth as long as its certificate lasts."""
_CLOCKS_DIFFER = timedelta(minutes=10)
_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """With what is signed."""

    chain: bytes
    """PEM: the signer's certificate and those above it."""
    key: bytes
    """PEM: its private key."""
    algorithm: str
    """As C2PA names it."""


def run_credential() -> Credential:
    """A certificate and its issuer's, made now and forgotten with the run.

    Extensions are as C2PA asks for them: a leaf that may only sign, with an extended key usage, under an authority of
    its own. Source: C2PA technical specification 2.2, section 14.5.1, "Certificate profile".
    """
    authority, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    above, name = _name("rushes: authority of one run"), _name(RUN_SIGNER)
    root = (
        _begun(above, above, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_uses("key_cert_sign", "crl_sign"), critical=True)
        .sign(authority, hashes.SHA256())
    )
    leaf = (
        _begun(name, above, signer)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_uses("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = signer.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Credential(leaf.public_bytes(pem) + root.public_bytes(pem), key, "es256")


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "rushes"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _uses(*allowed: str) -> x509.KeyUsage:
    uses: dict[str, Any] = {use: use in allowed for use in _USES}
    return x509.KeyUsage(**uses)
