"""Whether the numbers of an RSA key belong together, told in milliseconds.

OpenSSL also looks for divisors of the primes, which takes seconds for a large key, and nothing can stop it. Go, and
therefore OPA, does not. Knows nothing of how keys are written.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

MOST_BITS: Final = 16_384
"""Largest modulus that OpenSSL computes with."""


def belong_together(key: rsa.RSAPrivateNumbers) -> bool:
    """Make the checks of Go's `rsa.PrivateKey.Validate`, and of what a key holds computed beforehand."""
    exponent, modulus = key.public_numbers.e, key.public_numbers.n
    if modulus.bit_length() > MOST_BITS or not 2 <= exponent < 1 << 31:
        return False
    if min(key.p, key.q) <= 1 or key.p * key.q != modulus:
        return False
    if any(key.d * exponent % (prime - 1) != 1 for prime in (key.p, key.q)):
        return False
    try:
        inverse = pow(key.q, -1, key.p)
    except ValueError:
        return False
    return (key.dmp1, key.dmq1, key.iqmp) == (key.d % (key.p - 1), key.d % (key.q - 1), inverse)
