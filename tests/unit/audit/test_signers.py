"""Keys in files, and the check of any seal."""

import base64
import errno
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rotator.audit import signers
from rotator.audit.signers import FileSigner, Seal, SealError, fingerprint_of, make_key, verify
from rotator.model.errors import ConfigError, RotatorError, SealsUncheckedError, SigningError
from rotator.model.signing import ECDSA_P256, ED25519

LINE = b'{"run":"1","head":"abc"}'
SPKI = PublicFormat.SubjectPublicKeyInfo


def base64_of(content: bytes) -> str:
    """Return content as a seal has it."""
    return base64.b64encode(content).decode()


def p256_seal(curve: ec.EllipticCurve | None = None) -> Seal:
    """Return what KMS would make of the line."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, SPKI)
    return Seal(ECDSA_P256, base64_of(der), base64_of(key.sign(LINE, ec.ECDSA(hashes.SHA256()))))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return a key file as `keygen` makes it."""
    path = tmp_path / "key.pem"
    make_key(path)
    return path


@pytest.fixture
def _without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be one in which the extra is not installed."""
    monkeypatch.delitem(sys.modules, "rotator.audit.signatures", raising=False)
    monkeypatch.delattr("rotator.audit.signatures", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)


def test_what_a_new_key_signs_is_checked(tmp_path: Path) -> None:
    """The fingerprint that keygen tells is that of the signer, and of the seal once checked; the file is private."""
    path = tmp_path / "key.pem"
    fingerprint = make_key(path)
    signer = FileSigner.read(path)
    seal = signer.sign(LINE)
    assert verify(seal, LINE) == signer.fingerprint == fingerprint
    assert fingerprint == fingerprint_of(base64.b64decode(seal.public_key))
    assert re.fullmatch("sha256:[0-9a-f]{64}", fingerprint)
    assert seal.algorithm == "ed25519"
    assert path.stat().st_mode & 0o7777 == 0o600


def test_p256_seal_is_checked() -> None:
    """A seal of KMS names the key whose DER it holds."""
    seal = p256_seal()
    assert verify(seal, LINE) == fingerprint_of(base64.b64decode(seal.public_key))


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_key_file_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Neither a loose nor a strict umask changes the mode."""
    before = os.umask(umask)
    try:
        make_key(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert (tmp_path / "key.pem").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    """A file that is there stays as it is, also behind a link; a dangling link is not followed."""
    path, target = tmp_path / "key.pem", tmp_path / "precious"
    if kind != "dangling":
        (path if kind == "file" else target).write_text("precious")
    if kind != "file":
        path.symlink_to(target)
    with pytest.raises(ConfigError, match="is there already, and was left as it is"):
        make_key(path)
    assert (path.read_text() if path.exists() else "") == ("" if kind == "dangling" else "precious")
    assert target.exists() is (kind == "link")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder that is not there is no defect."""
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        make_key(tmp_path / "missing/key.pem")


def test_half_a_key_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the file is taken away again."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        make_key(tmp_path / "key.pem")
    assert list(tmp_path.iterdir()) == []


def _pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def opened(path: Path) -> None:
    """Let the group read it."""
    path.chmod(0o640)


def writable(path: Path) -> None:
    """Let others write it."""
    path.chmod(0o602)


def linked(path: Path) -> None:
    """Put it behind a link."""
    path.symlink_to(path.rename(path.with_name("real.pem")))


def piped(path: Path) -> None:
    """Make it a pipe that has no writer."""
    path.unlink()
    os.mkfifo(path, 0o600)


def removed(path: Path) -> None:
    """Take it away."""
    path.unlink()


def folder(path: Path) -> None:
    """Make it a folder."""
    path.unlink()
    path.mkdir(0o700)


def of_another_kind(path: Path) -> None:
    """Put a key of ECDSA into it."""
    path.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1())))


def encrypted(path: Path) -> None:
    """Put a passphrase on it."""
    path.write_bytes(_pem(ed25519.Ed25519PrivateKey.generate(), b"hunter2"))


def large(path: Path) -> None:
    """Let it go on."""
    path.write_bytes(path.read_bytes() + b"\n" * 4096)


def torn(path: Path) -> None:
    """Lose its end."""
    path.write_bytes(path.read_bytes()[:60])


def binary(path: Path) -> None:
    """Fill it with what is no text."""
    path.write_bytes(bytes(range(256)))


REFUSED: dict[Callable[[Path], None], str] = {
    opened: "can be used by others; run `chmod 600` on it",
    writable: "can be used by others",
    linked: "is a symbolic link",
    piped: "is not a regular file",
    folder: "is not a regular file",
    removed: "cannot be read: No such file or directory",
    large: "is larger than 4096 bytes",
    of_another_kind: "is not an Ed25519 key",
    encrypted: "is encrypted, and rotator has no passphrase for it",
    torn: "holds no private key in PEM",
    binary: "holds no private key in PEM",
}


@pytest.mark.parametrize(("change", "problem"), REFUSED.items(), ids=[change.__name__ for change in REFUSED])
def test_key_file_that_cannot_be_trusted_is_refused(
    key_file: Path, change: Callable[[Path], None], problem: str
) -> None:
    """The message names the file and the reason; nothing of the key or of the library comes along."""
    key = key_file.read_text().splitlines()[1]
    change(key_file)
    with pytest.raises(SigningError, match=re.escape(problem)) as caught:
        FileSigner.read(key_file)
    assert str(key_file) in caught.value.message
    assert key[:40] not in caught.value.message
    assert caught.value.__context__ is None


def test_private_key_shows_nowhere(key_file: Path) -> None:
    """A signer can be shown: it has the public half only."""
    signer = FileSigner.read(key_file)
    secret = base64.b64decode(key_file.read_text().splitlines()[1])[-32:]
    shown = f"{signer!r} {signer}"
    assert signer.fingerprint in shown
    assert "PRIVATE" not in shown.upper().replace("_PRIVATE", "")
    assert base64_of(secret) not in shown
    assert secret.hex() not in shown


def other_key(seal: Seal) -> Seal:
    """Name another key of the same kind."""
    return replace(seal, public_key=(p256_seal() if seal.algorithm == ECDSA_P256 else new_seal()).public_key)


def new_seal() -> Seal:
    """Return a seal of the line by a new Ed25519 key."""
    key = ed25519.Ed25519PrivateKey.generate()
    return Seal(ED25519, base64_of(key.public_key().public_bytes(Encoding.DER, SPKI)), base64_of(key.sign(LINE)))


def flipped(seal: Seal) -> Seal:
    """Change one bit of the signature."""
    content = bytearray(base64.b64decode(seal.signature))
    content[-1] ^= 1
    return replace(seal, signature=base64_of(bytes(content)))


def padded(seal: Seal) -> Seal:
    """Let the key be followed by something."""
    return replace(seal, public_key=base64_of(base64.b64decode(seal.public_key) + b"\0"))


SPOILT: dict[str, tuple[Callable[[Seal], Seal], str]] = {
    "other_key": (other_key, "its signature does not fit"),
    "flipped": (flipped, "its signature does not fit"),
    "unsigned": (lambda seal: replace(seal, signature=""), "its signature does not fit"),
    "no_base64": (lambda seal: replace(seal, signature="Zm9v!"), "its signature is not base64"),
    "no_ascii": (lambda seal: replace(seal, signature="\u00e9"), "its signature is not base64"),
    "key_no_base64": (lambda seal: replace(seal, public_key="="), "its public key is not base64"),
    "no_key": (lambda seal: replace(seal, public_key="Zm9v"), "its public key is not one of its algorithm"),
    "padded_key": (padded, "its public key is not one of its algorithm"),
    "no_algorithm": (lambda seal: replace(seal, algorithm="none"), "its algorithm is not known here"),
    "other_algorithm": (
        lambda seal: replace(seal, algorithm=ED25519 if seal.algorithm == ECDSA_P256 else ECDSA_P256),
        "its public key is not one of its algorithm",
    ),
}


@pytest.mark.parametrize("seal", [new_seal(), p256_seal()], ids=["ed25519", "p256"])
@pytest.mark.parametrize(("change", "problem"), SPOILT.values(), ids=SPOILT)
def test_seal_that_does_not_fit_is_refused(seal: Seal, change: Callable[[Seal], Seal], problem: str) -> None:
    """Another key, another signature, another algorithm, or what is none of these."""
    assert verify(seal, LINE)
    with pytest.raises(SealError, match=f"^{problem}$"):
        verify(change(seal), LINE)


@pytest.mark.parametrize("seal", [new_seal(), p256_seal()], ids=["ed25519", "p256"])
def test_seal_of_another_line_is_refused(seal: Seal) -> None:
    """One letter is enough."""
    with pytest.raises(SealError, match="does not fit"):
        verify(seal, LINE.replace(b"abc", b"abd"))


def test_other_spelling_of_a_key_is_refused() -> None:
    """A compressed point is the same key under another fingerprint, so it is not understood; nor is another curve."""
    key = ec.generate_private_key(ec.SECP256R1())
    whole = key.public_key().public_bytes(Encoding.DER, SPKI)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    signature = base64_of(key.sign(LINE, ec.ECDSA(hashes.SHA256())))
    assert verify(Seal(ECDSA_P256, base64_of(whole), signature), LINE)
    for seal in (Seal(ECDSA_P256, base64_of(head + point), signature), p256_seal(ec.SECP384R1())):
        with pytest.raises(SealError, match="is not one of its algorithm"):
            verify(seal, LINE)


@pytest.mark.usefixtures("_without_cryptography")
def test_without_the_extra_nothing_is_signed_and_no_seal_is_called_good(tmp_path: Path) -> None:
    """Each message says what to install; a seal that is not checked is no bad one either."""
    seal = Seal(ED25519, "Zm9v", "Zm9v")
    (tmp_path / "key.pem").touch(0o600)
    calls: list[tuple[type[RotatorError], Callable[[], object]]] = [
        (ConfigError, lambda: make_key(tmp_path / "new.pem")),
        (SigningError, lambda: FileSigner.read(tmp_path / "key.pem")),
        (SealsUncheckedError, lambda: verify(seal, LINE)),
    ]
    for kind, call in calls:
        with pytest.raises(kind, match="the package `cryptography` is not installed") as caught:
            call()
        assert '".[sign]"' in caught.value.next_step
        assert not isinstance(caught.value, ValueError)
    assert not (tmp_path / "new.pem").exists()
    with pytest.raises(SealError, match="algorithm is not known"):
        verify(replace(seal, algorithm="none"), LINE)


def test_public_names_are_exported() -> None:
    """What callers take from here is there."""
    assert all(hasattr(signers, name) for name in signers.__all__)
