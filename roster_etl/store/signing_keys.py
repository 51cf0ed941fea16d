"""Ed25519 keys that sign receipts: where they are, how they sign, and how a signature is checked with the public key alone.

``<home>/keys/receipts.pem``: the private key (PKCS#8, mode 0600); ``receipts.pub``: the public key (SPKI), to hand out;
``receipts.next.pem``: the next private key, while a rotation is under way; ``installation``: the name of this installation.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roster_etl.spec.errors import PermanentError, SettingsError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.secrets import read_secret
from roster_etl.store.settings import Settings

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_FOLDER = "keys"
_PRIVATE, _PUBLIC, _NEXT, _INSTALLATION = "receipts.pem", "receipts.pub", "receipts.next.pem", "installation"
_TABLE = "[receipts]"


class KeyExists(PermanentError):
    """A key is there already: another one would break every chain of receipts."""

    code = "key_exists"
    template = "{where} is there already; `roster-etl keys rotate` replaces it, and signs the new key with the old one"


class NoKey(PermanentError):
    """There is no key, or it is not one of this home's files."""

    code = "no_key"
    template = "{problem}"


class NoEnvelope(PermanentError):
    """A file is no DSSE envelope."""

    code = "not_a_receipt"
    template = "{problem}"


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key. ``keyid``: the id that securesystemslib gives its public half; ``public_pem``: that half, as SPKI PEM."""

    signer: CryptoSigner
    keyid: str
    public_pem: str

    def sign(self, payload: bytes) -> dict[str, Any]:
        """Return the DSSE envelope of `payload` (JSON of an in-toto statement) as its JSON object."""
        from securesystemslib.dsse import Envelope

        envelope = Envelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(self.signer)
        document: dict[str, Any] = envelope.to_dict()
        return document


@dataclass(frozen=True, kw_only=True)
class SigningKeys:
    """The keys of a home. ``current``: signs; ``next``: signs in each chain that a rotation has reached, None without one."""

    current: SigningKey
    next: SigningKey | None
    installation: str


class KeyFolder:
    """The key files of a home, or the key that its settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.home / _FOLDER
        self._folder = Folder(str(self._path))

    @property
    def is_enabled(self) -> bool:
        """Whether there is a key, so that receipts are made; whether it can be read is another question."""
        own = self._settings.receipts
        return bool(own.key_file or own.key_env) or self._folder.exists(_PRIVATE)

    @property
    def public_file(self) -> Path:
        """Where the public key is, to hand it out."""
        return self._path / _PUBLIC

    def load(self) -> SigningKeys:
        """Return the keys. Raises NoKey: there is none. SettingsError: it cannot be read, is no Ed25519 key, or others can read it."""
        own = self._settings.receipts
        if own.key_file or own.key_env:
            current = _private_key(_TABLE, read_secret(_TABLE, file=own.key_file, variable=own.key_env))
            return SigningKeys(current=current, next=None, installation=self._installation())
        if not self.is_enabled:
            raise NoKey(problem="this home has no key for receipts; `roster-etl keys init` makes one")
        found = self._read(_NEXT) if self._folder.exists(_NEXT) else None
        return SigningKeys(current=self._read(_PRIVATE), next=found, installation=self._installation())

    def create(self) -> SigningKey:
        """Make the first key. Raises KeyExists; NoKey: the settings name a key elsewhere."""
        self._require_own()
        if self._folder.exists(_PRIVATE):
            raise KeyExists(where=str(self._path / _PRIVATE))
        self._installation()
        key = _generate()
        if not self._folder.claim(_PRIVATE, _private_pem(key)):
            raise KeyExists(where=str(self._path / _PRIVATE))
        self._folder.write(_PUBLIC, key.public_pem.encode())
        return key

    def begin_rotation(self) -> SigningKeys:
        """Make the next key, or return the one of a rotation that was interrupted. Raises NoKey."""
        self._require_own()
        keys = self.load()
        if keys.next is None:
            self._folder.claim(_NEXT, _private_pem(_generate()))
            fault_point("keys.next")
            keys = self.load()
        return keys

    def end_rotation(self) -> None:
        """Make the next key the current one, once every chain names it."""
        following = self._read(_NEXT)
        self._folder.write(_PUBLIC, following.public_pem.encode())
        fault_point("keys.public")
        os.replace(self._path / _NEXT, self._path / _PRIVATE)

    def _require_own(self) -> None:
        if self._settings.receipts.key_file or self._settings.receipts.key_env:
            raise NoKey(problem=f"{_TABLE} names a key outside this home; make and replace it there")

    def _read(self, name: str) -> SigningKey:
        return _private_key(f"keys/{name}", read_secret(f"keys/{name}", file=str(self._path / name), variable=""))

    def _installation(self) -> str:
        if self._settings.receipts.installation:
            return self._settings.receipts.installation
        if not self._folder.exists(_INSTALLATION):
            self._folder.claim(_INSTALLATION, str(uuid.uuid4()).encode())
        return self._folder.read(_INSTALLATION).decode()


def read_public_key(content: bytes, where: str) -> SSlibKey:
    """Return the public key in a file (SPKI PEM). Raises NoKey: it is none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        key = load_pem_public_key(content)
    except ValueError:
        raise NoKey(problem=f"{where}: no public key in PEM form; the file to hand out is receipts.pub") from None
    if not isinstance(key, Ed25519PublicKey):
        raise NoKey(problem=f"{where}: no Ed25519 key, as receipts are signed with")
    return SSlibKey.from_crypto(key)


def open_envelope(content: bytes) -> tuple[dict[str, Any], bytes, tuple[str, ...]]:
    """Return the JSON object of a DSSE envelope, its payload, and the ids of the keys that claim to have signed it. Raises NoEnvelope."""
    import json

    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError

    try:
        document: dict[str, Any] = json.loads(content)
        envelope = Envelope.from_dict(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, FormatError):
        raise NoEnvelope(problem="it is no DSSE envelope") from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise NoEnvelope(problem=f"its payload is not of the type {PAYLOAD_TYPE}")
    return document, envelope.payload, tuple(envelope.signatures)


def is_signed_by(document: Mapping[str, Any], keys: Sequence[SSlibKey]) -> bool:
    """Return whether one of `keys` has signed the envelope with JSON object `document`."""
    import copy

    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    if not keys:
        return False
    try:
        Envelope.from_dict(copy.deepcopy(dict(document))).verify(list(keys), 1)
    except VerificationError:
        return False
    return True


def _generate() -> SigningKey:
    from securesystemslib.signer import CryptoSigner

    return _signing_key(CryptoSigner.generate_ed25519())


def _private_key(where: str, pem: str) -> SigningKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError(where=where, problem="no private key in PEM form (PKCS#8, without a password)") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(where=where, problem="no Ed25519 key")
    return _signing_key(CryptoSigner(key))


def _signing_key(signer: CryptoSigner) -> SigningKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    public = load_pem_private_key(signer.private_bytes, None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
    return SigningKey(signer=signer, keyid=signer.public_key.keyid, public_pem=pem)


def _private_pem(key: SigningKey) -> bytes:
    content: bytes = key.signer.private_bytes
    return content
