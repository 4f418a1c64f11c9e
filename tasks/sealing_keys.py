"""Keys of sealed parcels: where they come from, and how a parcel's data key is wrapped for them.

A secret is shown by nothing here: not by its text, not by an error, not by a log. Flows and
tasks pass references (`file:partner.key`, `env:PARTNER_KEY`), and a key is read where it is used.
"""

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn, Protocol

from data_contracts.errors import UnderstudyError
from data_contracts.share import AGE_SECRET, KEY_PREFIX, is_written_out

KEY_BYTES = 32
AGE_PUBLIC = "age1"
PLUGINS = "understudy.key_services"
_NONCE_BYTES = 12
_SCHEME = re.compile(r"^([a-z][a-z0-9_-]+):(.+)$", re.DOTALL)


class SealError(UnderstudyError):
    """A parcel cannot be sealed, opened or given new keys as asked."""


class Secret:
    """Bytes that show themselves to nobody: only `reveal` gives them out."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not stored or sent.")


class KeyService(Protocol):
    """Who holds a recipient's key and wraps data keys under it; the key itself may stay there.

    `context` is bound to what is wrapped: unwrapping under another one is refused. `unwrap` raises
    SealError. `format` is how parcels for such a key are sealed.
    """

    kind: str
    format: str

    def key_id(self) -> str: ...

    def wrap(self, data_key: Secret, context: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, context: bytes) -> Secret: ...


class SymmetricKey:
    """A 256-bit key that sender and recipient share; wraps with AES-256-GCM."""

    kind = "aes-256-gcm"
    format = "parquet-aes-256-gcm"

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def reveal(self) -> Secret:
        """The secret itself, for what is derived from it."""
        return self._secret

    def key_id(self) -> str:
        """A fingerprint: it names the key and tells nothing of 256 random bits."""
        return hashlib.sha256(b"understudy key id\0" + self._secret.reveal()).hexdigest()[:16]

    def wrap(self, data_key: Secret, context: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + bytes(self._cipher().encrypt(nonce, data_key.reveal(), context))

    def unwrap(self, wrapped: bytes, context: bytes) -> Secret:
        from cryptography.exceptions import InvalidTag

        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            return Secret(self._cipher().decrypt(nonce, sealed, context))
        except (InvalidTag, ValueError):
            raise SealError(
                f"key {self.key_id()}: does not unwrap this parcel's data key. The seal was "
                "changed, or is another release's. Ask the sender for the parcel again."
            ) from None

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._secret.reveal())


class AgeKey:
    """An age X25519 key pair, or its public half alone, which can seal but not open.

    Whole files are sealed, so that the recipient may open them with any age tool. Whoever has the
    public key can seal: who the sender is, age does not prove.
    """

    kind = "age-x25519"
    format = "age"

    def __init__(self, public: str, secret: Secret | None = None) -> None:
        self.public, self._secret = public, secret

    def key_id(self) -> str:
        return hashlib.sha256(self.public.encode()).hexdigest()[:16]

    def wrap(self, data_key: Secret, context: bytes) -> bytes:
        return self.seal(context + data_key.reveal())

    def unwrap(self, wrapped: bytes, context: bytes) -> Secret:
        opened = self.open(wrapped, "the data key")
        if opened[:-KEY_BYTES] != context:
            raise SealError(
                f"key {self.key_id()}: the seal is another release's. Ask the sender for the "
                "parcel again."
            )
        return Secret(opened[-KEY_BYTES:])

    def seal(self, content: bytes) -> bytes:
        import pyrage

        return bytes(pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(self.public)]))

    def open(self, sealed: bytes, what: str) -> bytes:
        """What was sealed for this key; SealError when it was changed or is for another key."""
        import pyrage

        if self._secret is None:
            raise SealError(f"{self.public}: a public key opens nothing. Give the secret key.")
        identity = pyrage.x25519.Identity.from_str(self._secret.reveal().decode())
        try:
            return bytes(pyrage.decrypt(sealed, [identity]))
        except pyrage.DecryptError:
            raise SealError(
                f"{what}: not sealed for key {self.key_id()}, or changed since. Ask the sender "
                "for the parcel again."
            ) from None


def key_from(reference: str, folder: Path = Path()) -> KeyService:
    """The key that `reference` names: `file:PATH`, `env:NAME`, `age1...`, or a key service's.

    Relative paths count from `folder`. An installed package offers a key service under the entry
    point group `understudy.key_services`: `vault:partner` calls the one called `vault` with
    `partner`. Raises SealError for a key that is not there or not well formed; the error never
    holds it.
    """
    if is_written_out(reference):
        raise SealError(
            "key: a key itself stands where one is named, and it has been seen now. Make a new one "
            "with `understudy key new`, and name its file or variable."
        )
    if reference.startswith(AGE_PUBLIC):
        return AgeKey(_checked_public(reference))
    found = _SCHEME.match(reference)
    scheme, rest = (found[1], found[2]) if found else ("file", reference)
    if scheme == "env":
        text = os.environ.get(rest)
        if text is None:
            raise SealError(f"key env:{rest}: no such environment variable. Set it to the key.")
        return _key_of(text, f"env:{rest}")
    if scheme == "file":
        return _key_of(_read(folder / rest), f"file:{rest}")
    return _service(scheme)(rest)


def read_by_others(reference: str, folder: Path = Path()) -> Path | None:
    """The key file that `reference` names, if others may change it, or read a secret in it."""
    found = _SCHEME.match(reference)
    path = folder / (found[2] if found and found[1] == "file" else reference)
    if (found and found[1] != "file") or not path.is_file():
        return None
    # The public half of an age key is for everybody to read.
    secret = is_written_out(path.read_text(encoding="utf-8", errors="replace"))
    return path if path.stat().st_mode & (0o077 if secret else 0o022) else None


def new_symmetric_key() -> str:
    """A fresh key as the one line of a key file."""
    return KEY_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def new_age_key() -> tuple[str, str]:
    """A fresh age key pair: the secret line and the public one."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def write_key(path: Path, secret: str) -> bool:
    """Writes a key file that only its owner may read; False, and nothing done, if one is there."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise SealError(f"key file {path}: {error.strerror}. Name a place to write.") from None
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(f"{secret}\n")
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not a text file"
        raise SealError(
            f"key file {path}: {why}. Name a key file, or make one with `understudy key new`."
        ) from None


def _key_of(text: str, where: str) -> KeyService:
    """The key that stands in a text; lines that begin with # are remarks."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    line = lines[0] if len(lines) == 1 else ""
    if line.startswith(KEY_PREFIX):
        return SymmetricKey(Secret(_decoded(line.removeprefix(KEY_PREFIX), where)))
    if line.startswith(AGE_SECRET):
        return AgeKey(_public_of(line, where), Secret(line.encode()))
    if line.startswith(AGE_PUBLIC):
        return AgeKey(_checked_public(line))
    raise SealError(f"key {where}: no key stands there. Make one with `understudy key new`.")


def _decoded(text: str, where: str) -> bytes:
    try:
        value = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != KEY_BYTES:
        raise SealError(f"key {where}: damaged or cut. Make one with `understudy key new`.")
    return value


def _public_of(line: str, where: str) -> str:
    import pyrage

    try:
        return str(pyrage.x25519.Identity.from_str(line).to_public())
    except pyrage.IdentityError:
        raise SealError(f"key {where}: damaged or cut. Make one with `understudy key new`.") \
            from None  # fmt: skip


def _checked_public(text: str) -> str:
    import pyrage

    try:
        return str(pyrage.x25519.Recipient.from_str(text))
    except pyrage.RecipientError:
        raise SealError(f"key {text}: no X25519 key of age. Copy it whole.") from None


def _service(scheme: str) -> Callable[[str], KeyService]:
    installed = {point.name: point for point in entry_points(group=PLUGINS)}
    if scheme not in installed:
        known = ", ".join(["file", "env", *sorted(installed)])
        raise SealError(f"key service {scheme!r}: not installed. There is: {known}.")
    made: Callable[[str], KeyService] = installed[scheme].load()
    return made
