"""A certificate for this machine's names, signed by itself. The library cryptography (extra ``tls``), else openssl.

Imports graphistry_core's errors.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from graphistry_core.errors import MissingDependency

_NAMES = ("localhost", "127.0.0.1", "::1")
_DAYS = 365


def self_signed(folder: Path, host: str = "localhost") -> tuple[Path, Path]:
    """Write a new certificate for this machine's names, and for ``host``, with its key; return both paths.

    The certificate is its own authority: a client that is given the file as CA bundle trusts the server. Raises
    MissingDependency when neither the library nor the command is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    key.unlink(missing_ok=True)
    os.close(os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    names = [*dict.fromkeys((*_NAMES, host.lower()))]
    try:
        import cryptography  # noqa: F401
    except ImportError:
        _by_command(certificate, key, names)
    else:
        _by_library(certificate, key, names)
    return certificate, key


def context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a listening socket speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _by_library(certificate: Path, key: Path, names: list[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    public, now = private.public_key(), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "graphistry-core")])
    uses: dict[str, Any] = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only",
         "decipher_only"), False
    )  # fmt: skip
    known: list[x509.GeneralName] = []
    for name in names:
        address = _address(name)
        known.append(x509.DNSName(name) if address is None else x509.IPAddress(address))
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **uses), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(private, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    key.write_bytes(private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    certificate.write_bytes(built.public_bytes(encoding))


def _by_command(certificate: Path, key: Path, names: list[str]) -> None:
    known = ",".join(f"DNS:{name}" if _address(name) is None else f"IP:{name}" for name in names)
    extensions = (
        f"subjectAltName={known}",
        "basicConstraints=critical,CA:TRUE,pathlen:0",
        "keyUsage=critical,digitalSignature,keyCertSign",
        "extendedKeyUsage=serverAuth",
    )
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", str(_DAYS), "-subj", "/CN=graphistry-core", "-keyout", str(key), "-out", str(certificate)]
    command += [part for each in extensions for part in ("-addext", each)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603 - the names are the user's own
    except (OSError, subprocess.SubprocessError) as e:
        raise MissingDependency(
            "A certificate needs the library cryptography (pip install 'graphistry-core[tls]') or a working openssl "
            "command; there is neither."
        ) from e
