"""CRC-32 arithmetic: combines and splits checksums without the bytes.

zlib has had this since 1.2.2 (``crc32_combine``), but Python does not expose it. The mathematics are zlib's: a CRC
is a polynomial over GF(2) modulo the CRC-32 polynomial, and appending ``n`` zero bytes multiplies it by x**(8n).
"""

from functools import lru_cache

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""x**0: bits are reflected, so the highest bit is the lowest power."""


def combine(first: int, second: int, second_length: int) -> int:
    """Return the CRC-32 of two concatenated byte strings, from their CRCs and the second's length in bytes."""
    # A CRC of zero stays zero in the product: no bytes, or bytes that happen to have this CRC.
    return _multiply(_power_of_x(second_length * 8), first) ^ second if first else second


def split(whole: int, first: int, second_length: int) -> int:
    """Return the CRC-32 of the second of two byte strings, from the CRCs of the whole and of the first."""
    return combine(first, whole, second_length)


def _multiply(a: int, b: int) -> int:
    """Multiply two polynomials modulo the CRC-32 polynomial."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ (_POLYNOMIAL if b & 1 else 0)
    return product


@lru_cache(maxsize=1024)
def _power_of_x(exponent: int) -> int:
    """Return x**exponent modulo the CRC-32 polynomial, by repeated squaring; most parts have one length."""
    result, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            result = _multiply(result, square)
        square = _multiply(square, square)
        exponent >>= 1
    return result
