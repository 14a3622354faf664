"""Whose the keys of a secure sum are: signed by keys that outlast a run, and known in advance.

The server passes the clients' public keys on. One that makes up the other clients' keys itself
learns the values of the one client that is real. So a client may be told, by its node config and
not by the server, whom it knows:

- `secure-sum-identity`: the path of its own private key, Ed25519 or elliptic curve: that of
  `flower-supernode --auth-supernode-private-key` will do. With it the client signs its keys.
- `secure-sum-known-clients`: the path of a file with the public keys that it knows, in OpenSSH's
  form, one a line. With it the client takes part among these clients only, and where all clients
  are neighbours.
- `secure-sum-least-known` (1): how many other clients that it knows must stay to the end.
- `secure-sum-least` (2): how many clients must stay to the end, itself among them, known or not.

A signature says who made a key, and not that it was made for this sum. Shares that open show that
their sender is there now: it sealed them for this client, whose key is fresh. A signature also says
whether its sender knows clients by a file of its own. A sender that does not takes all lists as the
server tells them (`consistency`), and counts as a stranger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fdd_flower.config import Scalar
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError, WireError
from fdd_flower.privacy.sharing import LEAST
from fdd_flower.secure_sum.protocol import Group

IDENTITY = "secure-sum-identity"
KNOWN = "secure-sum-known-clients"
LEAST_KNOWN = "secure-sum-least-known"
LEAST_CLIENTS = "secure-sum-least"
FINGERPRINT = 32  # bytes: SHA-256 of the public key, by which the one that signed is found
SIGNED = 192  # bytes of a signature as it travels: fingerprint, length, signature, zeros

Public = Ed25519PublicKey | ec.EllipticCurvePublicKey
Private = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_HASH = ec.ECDSA(hashes.SHA384())


@dataclass(frozen=True, slots=True)
class Company:
    """With whom a client takes part.

    Attributes
    ----------
    clients
        Public keys that it knows, by fingerprint; None: it asks nobody who they are.
    least_known
        How many others of them must stay to the end.
    least
        How many clients must, known or not, itself among them.
    """

    clients: Mapping[bytes, Public] | None = None
    least_known: int = 0
    least: int = LEAST
    _own: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, node: Mapping[str, Scalar]) -> Company:
        """Return what a node config asks for.

        Raises
        ------
        ConfigError
            If a file cannot be read, holds something else, or a number is out of range.
        """
        least = _number(node, LEAST_CLIENTS, LEAST)
        if KNOWN not in node:
            if LEAST_KNOWN in node:
                raise _off(LEAST_KNOWN, f"together with {KNOWN}", "without it")
            return cls(least=least)
        least_known = _number(node, LEAST_KNOWN, 1)
        own = fingerprint(_private(node).public_key()) if IDENTITY in node else b""
        clients = _public_keys(Path(str(node[KNOWN])))
        others = clients.keys() - {own}
        if len(others) < least_known:
            raise _off(KNOWN, f"{least_known} other clients, as {LEAST_KNOWN} asks", len(others))
        return cls(clients, least_known, least, own)

    def places(
        self, group: Group, own: int, signatures: Sequence[bytes], plan: Plan
    ) -> list[int] | None:
        """Return the places of others whose keys are those of a client that it knows.

        Parameters
        ----------
        signatures
            By place, as `signed` makes them.

        Returns
        -------
        None where it asks nobody.

        Raises
        ------
        WireError
            If too few are known, or so many are not that together with the server they could take
            this client's masks off.
        """
        self._require_clients(len(group.publics))
        if self.clients is None:
            return None
        found: dict[bytes, int] = {}
        if len(signatures) == len(group.publics):
            for place, (public, row) in enumerate(zip(group.publics, signatures, strict=True)):
                who = self._who(row, public, plan)
                if who is not None and place != own and who != self._own:
                    found.setdefault(who, place)  # a client that signs two keys is one client
        strangers = len(group.publics) - 1 - len(found)
        # With so many who vouch for two lists, no two lists have as many who vouch as must stay.
        most = 2 * group.threshold - len(group.publics) - 1
        if strangers > most:
            raise _stays_out(f"at most {most} clients that it does not know", strangers)
        self.require(found.values(), found.values(), len(group.publics))
        return sorted(found.values())

    def require(
        self,
        known: Collection[int] | None,
        there: Collection[int],
        clients: int,
        *,
        least_known: int = 0,
    ) -> None:
        """Require that enough clients are there, and enough of those that it knows.

        Parameters
        ----------
        known
            The places that `places` returned.
        there
            Places of those that are there, by what this client saw of them itself.
        clients
            How many the server says are there.
        least_known
            Of how many of those that it knows, where that is more than the node config asks for.

        Raises
        ------
        WireError
            If they are too few.
        """
        self._require_clients(clients)
        if self.clients is None:
            return
        count, least = len(set(known or ()) & set(there)), max(self.least_known, least_known)
        if count < least:
            raise _stays_out(f"{least} other clients that it knows ({KNOWN})", count)

    def _require_clients(self, clients: int) -> None:
        if clients < self.least:
            raise _stays_out(f"{self.least} clients or more ({LEAST_CLIENTS})", clients)

    def _who(self, row: bytes, public: bytes, plan: Plan) -> bytes | None:
        """Return the fingerprint of the known client that signed these keys; None: nobody did."""
        assert self.clients is not None
        name, length = row[:FINGERPRINT], row[FINGERPRINT] if len(row) == SIGNED else 0
        key, signature = self.clients.get(name), row[FINGERPRINT + 1 :][:length]
        if key is None:
            return None
        message = _message(public, plan, checks=True)
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, _HASH)
        except InvalidSignature:
            return None
        return name


def signed(node: Mapping[str, Scalar], public: bytes, plan: Plan) -> bytes:
    """Return the signature of a client's two public keys, `SIGNED` bytes; empty if it signs none.

    Raises
    ------
    ConfigError
        If the private key cannot be read.
    """
    if IDENTITY not in node:
        return b""
    key, message = _private(node), _message(public, plan, checks=KNOWN in node)
    ed = isinstance(key, Ed25519PrivateKey)
    signature = key.sign(message) if ed else key.sign(message, _HASH)
    row = fingerprint(key.public_key()) + bytes([len(signature)]) + signature
    return row.ljust(SIGNED, b"\0")


def fingerprint(key: Public) -> bytes:
    """Return the SHA-256 of a public key in its standard form (SubjectPublicKeyInfo, DER)."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(encoding, form)).digest()


def _message(public: bytes, plan: Plan, *, checks: bool) -> bytes:
    what = "keys among known clients" if checks else "keys"
    return f"fdd-flower secure sum {what} {plan.nonce} {plan.round} ".encode() + public


def _private(node: Mapping[str, Scalar]) -> Private:
    path = Path(str(node[IDENTITY]))
    content, expected = _read(IDENTITY, path), "an Ed25519 or elliptic-curve private key"
    openssh = b"BEGIN OPENSSH" in content
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(content, password=None)
    # TypeError: it has a password
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _off(IDENTITY, f"{expected} without a password in {path}", error) from error
    if not isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise _off(IDENTITY, f"{expected} in {path}", type(key).__name__)
    return key


def _public_keys(path: Path) -> dict[bytes, Public]:
    found: dict[bytes, Public] = {}
    for number, line in enumerate(_read(KNOWN, path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        expected = f"an Ed25519 or elliptic-curve public key in {path}, line {number}"
        try:
            key = serialization.load_ssh_public_key(line.strip())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _off(KNOWN, expected, error) from error
        if not isinstance(key, Ed25519PublicKey | ec.EllipticCurvePublicKey):
            raise _off(KNOWN, expected, type(key).__name__)
        found[fingerprint(key)] = key
    return found


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _off(name, f"a file that can be read at {path}", error.strerror) from error


def _number(node: Mapping[str, Scalar], name: str, default: int) -> int:
    found = node.get(name, default)
    if type(found) is not int or found < default:
        raise _off(name, f"a whole number from {default}", repr(found))
    return found


def _off(name: str, expected: str, got: object) -> ConfigError:
    return ConfigError(
        f"node config {name}",
        expected=expected,
        got=got,
        remedy="Correct the node config of this SuperNode; it stays out of the sum until then.",
    )


def _stays_out(expected: str, got: object) -> WireError:
    return WireError(
        "clients of the secure sum",
        expected=expected,
        got=got,
        remedy="This client stays out of the sum.",
    )
