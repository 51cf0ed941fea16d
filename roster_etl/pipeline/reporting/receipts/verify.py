"""Verify receipts with a public key alone: no home, no network."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from roster_etl.pipeline.reporting.receipts.statement import PREDICATE_TYPE
from roster_etl.spec.errors import PermanentError
from roster_etl.store.signing_keys import NoEnvelope, NoKey, is_signed_by, open_envelope, read_public_key

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

Reason = Literal[
    "bad_signature", "unknown_key", "not_a_receipt", "file_differs", "file_missing", "gap", "broken_chain", "outcomes_differ"
]  # fmt: skip
_ENDING = ".dsse.json"
_MAX_BYTES = 64 << 20
"""Bytes of a receipt that are read at most; a receipt has some thousand."""


class NothingToVerify(PermanentError):
    """A path names no receipt, no upload or no key."""

    code = "nothing_to_verify"
    template = "{problem}"


@dataclass(kw_only=True)
class CheckedReceipt:
    """A receipt and what was found. ``document``: its envelope, None if it is none; ``files``: name → whether its digest matches."""

    file: str
    document: Mapping[str, Any] | None = None
    statement: Mapping[str, Any] = field(default_factory=dict)
    keyids: tuple[str, ...] = ()
    sha256: str = ""
    reason: Reason | None = None
    files: dict[str, bool] = field(default_factory=dict)

    @property
    def predicate(self) -> Mapping[str, Any]:
        """What the receipt states."""
        found: Mapping[str, Any] = self.statement.get("predicate", {})
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as ``receipts verify --json`` lists it."""
        return {
            "file": self.file,
            "number": self.predicate.get("number"),
            "valid": self.reason is None,
            "keyid": self.keyids[0] if self.keyids else None,
            "reason": self.reason,
            "files": [{"file": name, "matches": matches} for name, matches in self.files.items()],
        }


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result. ``missing``: numbers that a chain lacks; empty, too, where single files were given, which are no chain."""

    receipts: Sequence[CheckedReceipt]
    missing: Sequence[int]
    is_whole: bool

    @property
    def is_valid(self) -> bool:
        """Whether every receipt holds, and no chain has a gap."""
        return self.is_whole and all(receipt.reason is None for receipt in self.receipts)

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``receipts verify --json``."""
        chain = {"whole": self.is_whole, "missing": list(self.missing)}
        return {"valid": self.is_valid, "receipts": [one.to_json() for one in self.receipts], "chain": chain}


def verify_receipts(
    paths: Sequence[Path], public_keys: Sequence[Path], *, upload: Path | None = None, outcomes: Path | None = None
) -> Verification:
    """Verify the receipts in `paths` (files, or folders that hold whole chains).

    Args:   upload: a folder, zip or file that must be what was signed for; outcomes: the same for a file of outcomes. Where several
            receipts are given, each is compared with the one that fits it best.
    Raises: NothingToVerify, NoKey.
    """
    keys = [read_public_key(_read(path), str(path)) for path in public_keys]
    if not keys:
        raise NoKey(problem="--key: the public key of whoever signed")
    found = [receipt for path in paths for receipt in _read_receipts(path)]
    missing, whole = _check_chains(found, keys, [path for path in paths if path.is_dir()])
    if upload is not None:
        _check_upload(found, _digests(upload))
    if outcomes is not None:
        _check_outcomes(found, _digest_of(outcomes))
    return Verification(receipts=found, missing=missing, is_whole=whole)


def read_receipt(content: bytes, name: str) -> CheckedReceipt:
    """Return a receipt that is not verified yet; its ``reason`` says if it is none."""
    try:
        document, payload, keyids = open_envelope(content)
        statement = json.loads(payload)
        predicate = statement["predicate"]
        is_receipt = statement["predicateType"] == PREDICATE_TYPE and type(predicate["number"]) is int
        [(one["name"], one["digest"]["sha256"]) for one in statement["subject"]]
    except (NoEnvelope, ValueError, KeyError, TypeError, RecursionError):
        return CheckedReceipt(file=name, reason="not_a_receipt")
    if not is_receipt:
        return CheckedReceipt(file=name, reason="not_a_receipt")
    sha256 = hashlib.sha256(content).hexdigest()
    return CheckedReceipt(file=name, document=document, statement=statement, keyids=keyids, sha256=sha256)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise NothingToVerify(problem=f"{path} is too large")
        return path.read_bytes()
    except OSError as error:
        raise NothingToVerify(problem=f"{path} cannot be read ({error.strerror})") from None


def _read_receipts(path: Path) -> list[CheckedReceipt]:
    files = sorted(path.rglob(f"*{_ENDING}")) if path.is_dir() else [path]
    if not files:
        raise NothingToVerify(problem=f"{path} has no receipt (*{_ENDING})")
    return [read_receipt(_read(file), str(file)) for file in files]


# ---- signatures and chains


def _check_chains(
    receipts: Sequence[CheckedReceipt], keys: Sequence[SSlibKey], folders: Sequence[Path]
) -> tuple[list[int], bool]:
    """Check every receipt of every chain. Returns the numbers that chains in `folders` lack, and whether these are whole."""
    chains: dict[tuple[str, str], list[CheckedReceipt]] = defaultdict(list)
    for receipt in receipts:
        if receipt.document is not None:
            chains[str(receipt.predicate.get("district_id")), str(receipt.predicate.get("source"))].append(receipt)
    missing: list[int] = []
    broken = any(receipt.document is None for receipt in receipts)
    for chain in chains.values():
        chain.sort(key=lambda receipt: receipt.predicate["number"])
        _check_signatures(chain, keys)
        if folders and any(Path(receipt.file).is_relative_to(folder) for receipt in chain for folder in folders):
            missing += _missing_numbers(chain)
            broken = _check_links(chain) or broken
    return sorted(missing), not (folders and (missing or broken))


def _check_signatures(chain: Sequence[CheckedReceipt], keys: Sequence[SSlibKey]) -> None:
    """Check the signatures of a chain in its order; a receipt of kind ``key`` replaces the key that signed it by the one it names."""
    trusted = {key.keyid: key for key in keys}
    for receipt in chain:
        assert receipt.document is not None
        known = [trusted[keyid] for keyid in receipt.keyids if keyid in trusted]
        if not known:
            receipt.reason = "unknown_key"
        elif not is_signed_by(receipt.document, known):
            receipt.reason = "bad_signature"
        elif receipt.predicate.get("kind") == "key":
            _follow_rotation(receipt, known, trusted)


def _follow_rotation(receipt: CheckedReceipt, signers: Sequence[SSlibKey], trusted: dict[str, SSlibKey]) -> None:
    try:
        new = read_public_key(receipt.predicate["new_key"]["public_key"].encode(), receipt.file)
    except (NoKey, KeyError, TypeError, AttributeError):
        receipt.reason = "not_a_receipt"
        return
    for key in signers:
        trusted.pop(key.keyid, None)
    trusted[new.keyid] = new


def _missing_numbers(chain: Sequence[CheckedReceipt]) -> list[int]:
    numbers = {receipt.predicate["number"] for receipt in chain}
    return [number for number in range(1, max(numbers)) if number not in numbers]


def _check_links(chain: Sequence[CheckedReceipt]) -> bool:
    """Mark the receipts that do not follow the one before them. Returns whether there are any."""
    broken = False
    for before, receipt in pairwise([None, *chain]):
        assert receipt is not None
        number, previous = receipt.predicate["number"], receipt.predicate.get("previous")
        expected = before.predicate["number"] + 1 if before else 1
        reason: Reason | None = None
        if number > expected:
            reason = "gap"
        elif number < expected or previous != (before.sha256 if before else None):
            reason = "broken_chain"
        if reason:
            receipt.reason, broken = receipt.reason or reason, True
    return broken


# ---- files and outcomes


def _digests(upload: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of an upload by its path in it; of a zip, of the archive itself and of each member."""
    try:
        if upload.is_dir():
            files = sorted(path for path in upload.rglob("*") if path.is_file())
            return {path.relative_to(upload).as_posix(): _file_digest(path) for path in files}
        found = {upload.name: _file_digest(upload)}
        if zipfile.is_zipfile(upload):
            with zipfile.ZipFile(upload) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        with archive.open(info) as member:
                            found[info.filename] = hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise NothingToVerify(problem=f"{upload} cannot be read ({type(error).__name__})") from None
    return found


def _digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, whatever its size. Raises NothingToVerify."""
    try:
        return _file_digest(path)
    except OSError as error:
        raise NothingToVerify(problem=f"{path} cannot be read ({error.strerror})") from None


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_upload(receipts: Sequence[CheckedReceipt], digests: Mapping[str, str]) -> None:
    """Compare an upload, or an export, with the receipt that signs for most of its files, the newest one among equals."""
    candidates = [receipt for receipt in receipts if receipt.predicate.get("kind") in ("import", "decision", "export")]
    if not candidates:
        _require_damaged(receipts, "no receipt of these is about an upload or an export")
        return

    def fit(receipt: CheckedReceipt) -> tuple[int, int]:
        return sum(digests.get(name) == digest for name, digest in _subject(receipt)), receipt.predicate["number"]

    best = max(candidates, key=fit)
    for name, digest in _subject(best):
        if name not in digests and _is_archive(best, name, digests):
            continue  # the members of an archive were unpacked into a folder
        best.files[name] = digests.get(name) == digest
        if name not in digests:
            best.reason = best.reason or "file_missing"
        elif not best.files[name]:
            best.reason = best.reason or "file_differs"


def _is_archive(receipt: CheckedReceipt, name: str, digests: Mapping[str, str]) -> bool:
    """Return whether `name` is the zip of an upload whose members are at hand."""
    members = [member for member, _ in _subject(receipt) if member != name]
    return name.casefold().endswith(".zip") and bool(members) and all(member in digests for member in members)


def _subject(receipt: CheckedReceipt) -> list[tuple[str, str]]:
    return [(one["name"], one["digest"]["sha256"]) for one in receipt.statement["subject"]]


def _check_outcomes(receipts: Sequence[CheckedReceipt], digest: str) -> None:
    """Compare a file of outcomes with the receipt that signs for it; the newest with outcomes where none does."""
    candidates = [receipt for receipt in receipts if receipt.predicate.get("outcomes_sha256")]
    if not candidates:
        _require_damaged(receipts, "no receipt of these signs for a file of outcomes")
        return
    if not any(receipt.predicate["outcomes_sha256"] == digest for receipt in candidates):
        newest = max(candidates, key=lambda receipt: receipt.predicate["number"])
        newest.reason = newest.reason or "outcomes_differ"


def _require_damaged(receipts: Sequence[CheckedReceipt], problem: str) -> None:
    """Raise NothingToVerify unless one of `receipts` does not hold, which says more than what is compared with it."""
    if all(receipt.reason is None for receipt in receipts):
        raise NothingToVerify(problem=problem)
