"""Keys of one client for one round, and what two clients agree on by them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

from Crypto.Protocol.SecretSharing import Shamir
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fdd_flower.errors import WireError

KEY = 32  # bytes of a key and of a seed
BLOCK = 16  # bytes that Shamir's scheme of the library shares at a time
SEALED = 2 * KEY + 16  # bytes of two shares under authenticated encryption


@dataclass(frozen=True)
class Keys:
    """What a client keeps to itself in a round: two private keys and a seed, 32 bytes each.

    Attributes
    ----------
    sealing
        Under which shares reach another client through the server.
    masking
        From which the masks come that cancel between two clients.
    seed
        Of the client's own mask, which only the others together can take off.
    """

    sealing: bytes
    masking: bytes
    seed: bytes

    @classmethod
    def draw(cls) -> Keys:
        """Return fresh ones, from the operating system: no seed of the run makes them."""
        return cls(os.urandom(KEY), os.urandom(KEY), os.urandom(KEY))

    @classmethod
    def from_bytes(cls, data: bytes) -> Keys:
        """Return the keys that `to_bytes` wrote."""
        return cls(data[:KEY], data[KEY : 2 * KEY], data[2 * KEY :])

    def to_bytes(self) -> bytes:
        """Return the keys for the client's own state."""
        return self.sealing + self.masking + self.seed

    @cached_property
    def public(self) -> bytes:
        """The two public keys, one after the other: what others may know."""
        return public_of(self.sealing) + public_of(self.masking)


def public_of(private: bytes) -> bytes:
    """Return the X25519 public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agreed(private: bytes, public: bytes, purpose: str) -> bytes:
    """Return the key of a pair of clients for one purpose: X25519, then HKDF with SHA-256.

    Raises
    ------
    WireError
        If the public key is none that gives a secret.
    """
    try:
        shared = X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
    except ValueError as error:
        raise WireError(
            "public key",
            expected="one of X25519",
            got=str(error) or "another",
            remedy="Run the same version on both sides.",
        ) from error
    info = f"fdd-flower secure sum {purpose}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=KEY, salt=None, info=info).derive(shared)


def shares_of(secret: bytes, threshold: int, count: int) -> list[bytes]:
    """Return `count` shares of 32 bytes, of which any `threshold` give the secret (Shamir)."""
    halves = [
        dict(Shamir.split(threshold, count, secret[at : at + BLOCK], ssss=False))
        for at in (0, BLOCK)
    ]
    return [halves[0][place] + halves[1][place] for place in range(1, count + 1)]


def joined(shares: dict[int, bytes]) -> bytes:
    """Return the secret from shares by the place, from 0, of the client that held them."""
    halves = []
    for at in (0, BLOCK):
        held = [(place + 1, share[at : at + BLOCK]) for place, share in shares.items()]
        halves.append(Shamir.combine(held, ssss=False))
    return halves[0] + halves[1]


def seal(key: bytes, content: bytes, about: bytes) -> bytes:
    """Return `content` encrypted and bound to `about`; a key seals once."""
    return ChaCha20Poly1305(key).encrypt(bytes(12), content, about)


def unseal(key: bytes, sealed: bytes, about: bytes) -> bytes:
    """Return what was sealed.

    Raises
    ------
    WireError
        If it was changed, or sealed for somebody else or about something else.
    """
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), sealed, about)
    except InvalidTag as error:
        raise WireError(
            "sealed shares",
            expected="what another client sealed",
            got="something else",
            remedy="The server or the network changed it: this client stays out of the round.",
        ) from error
