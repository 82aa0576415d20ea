"""Resource quantities: "100m", "1.5Gi", "1e3".

Decides what parses, how it is written back and how amounts compare and add up. Stands for apimachinery's
resource.Quantity, with its habit of keeping a text that looks canonical as it is ("+2", "1028Ki") and rewriting any
other ("1.5e9" -> "1500e6"). Leaves out exponents beyond MAX_EXPONENT, which upstream takes.
"""

from __future__ import annotations

import functools
import re
from typing import Literal

from msgspec import Struct

from fakeapi.patterns import lazy

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

WRONG_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
WRONG_NUMBER = "unable to parse numeric part of quantity"
WRONG_SUFFIX = "unable to parse quantity's suffix"

MAX_EXPONENT = 4096

_NANO = -9
_MAX_INT64 = 2**63 - 1
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {exponent: suffix for suffix, exponent in _BINARY.items()}

# What upstream's scanner takes: sign, leading zeros, digits, fraction, suffix letters, exponent.
_SCAN = lazy(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$")


class Quantity(Struct, frozen=True, eq=False):
    """unscaled * 10**scale, exact down to nano. text: kept verbatim; "" when str() has to make it."""

    unscaled: int
    scale: int
    format: Format
    text: str = ""

    @property
    def nano(self) -> int:
        """The amount in billionths: the unit to compare and sum in."""
        return int(self.unscaled * 10 ** (self.scale - _NANO))

    def scaled(self, scale: int) -> int:
        """The amount in units of 10**scale, rounded away from zero, capped as an int64."""
        return max(min(_shift(self.unscaled, self.scale - scale), _MAX_INT64), -_MAX_INT64 - 1)

    def rounded(self, scale: int) -> Quantity:
        """RoundUp: no finer than 10**scale."""
        if self.scale >= scale:
            return self
        return Quantity(_shift(self.unscaled, self.scale - scale), scale, self.format)

    def __str__(self) -> str:
        return self.text or _canonical(self)

    def __bool__(self) -> bool:
        return self.unscaled != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __lt__(self, other: Quantity) -> bool:
        return self.nano < other.nano

    def __le__(self, other: Quantity) -> bool:
        return self.nano <= other.nano

    def __add__(self, other: Quantity) -> Quantity:
        return self._sum(other, 1)

    def __sub__(self, other: Quantity) -> Quantity:
        return self._sum(other, -1)

    def _sum(self, other: Quantity, sign: int) -> Quantity:
        """The format is the left side's, unless that is zero."""
        scale = min(self.scale, other.scale)
        unscaled = _shift(self.unscaled, self.scale - scale) + sign * _shift(other.unscaled, other.scale - scale)
        return Quantity(unscaled, scale, self.format if self.unscaled else other.format)


ZERO = Quantity(0, 0, "DecimalSI", "0")


@functools.lru_cache(maxsize=8192)
def parse(text: str) -> Quantity:
    """A quantity's text. ValueError: carries upstream's message."""
    if text == "0":
        return ZERO
    match = _SCAN.match(text)
    if not text or match is None or text.endswith("\n"):
        raise ValueError(WRONG_FORMAT)
    sign, digits, fraction, suffix = match.groups("")
    digits = digits or "0"
    form, exponent = _interpret(suffix)
    if form == "BinarySI":
        return _parse_binary(text, sign, digits, fraction, exponent, match.start(4))
    scale = exponent - len(fraction)
    shifted = digits + fraction
    unscaled = int(sign + shifted)
    if len(shifted) <= 18 and scale >= _NANO:
        verbatim = scale % 3 == 0 and not shifted.endswith("000") and not shifted.startswith("0")
        return Quantity(unscaled, scale, form, text if verbatim else "")
    _demand_number(text[: match.start(4)])
    return Quantity(unscaled, scale, form).rounded(_NANO)


def _parse_binary(text: str, sign: str, digits: str, fraction: str, exponent: int, number_end: int) -> Quantity:
    """Powers of 1024; fractions and large numbers go upstream's slow way, which caps and never keeps the text."""
    number = int(digits)
    if not fraction and 15 - len(digits) - exponent * 3 // 10 - 1 >= 0:
        return Quantity(int(sign + digits) << exponent, 0, "BinarySI", text if number & 7 else "")
    _demand_number(text[:number_end])
    amount = Quantity(int(digits + fraction) << exponent, -len(fraction), "BinarySI").rounded(_NANO)
    if amount.nano > _MAX_INT64 * 10**9:
        amount = Quantity(_MAX_INT64, 0, "BinarySI")
    form: Format = "DecimalSI" if 0 < amount.nano < 10**9 else "BinarySI"
    return Quantity(-amount.unscaled if sign == "-" else amount.unscaled, amount.scale, form)


def _demand_number(text: str) -> None:
    """Upstream's quick way reads no digits as 0, its slow way refuses them."""
    if not text.strip("+-."):
        raise ValueError(WRONG_NUMBER)


def _interpret(suffix: str) -> tuple[Format, int]:
    """The format and the exponent (of 10, or of 2 for BinarySI)."""
    if suffix in _DECIMAL:
        return "DecimalSI", _DECIMAL[suffix]
    if suffix in _BINARY:
        return "BinarySI", _BINARY[suffix]
    if suffix[0] in "eE" and re.fullmatch(r"[+-]?[0-9]{1,9}", suffix[1:]):
        exponent = int(suffix[1:])
        if abs(exponent) <= MAX_EXPONENT:
            return "DecimalExponent", exponent
    raise ValueError(WRONG_SUFFIX)


def _shift(unscaled: int, places: int) -> int:
    """unscaled * 10**places, rounded away from zero."""
    if places >= 0:
        return int(unscaled * 10**places)
    factor: int = 10**-places
    whole, rest = divmod(abs(unscaled), factor)
    rounded = whole + 1 if rest else whole
    return rounded if unscaled >= 0 else -rounded


def _canonical(amount: Quantity) -> str:
    """No fraction, the largest suffix that loses nothing."""
    if not amount.unscaled:
        return "0"
    form = amount.format
    if form == "BinarySI" and (abs(amount.nano) < 1024 * 10**9 or amount.nano % 10**9):
        form = "DecimalSI"
    if form == "BinarySI":
        mantissa, exponent = _without_factor(_shift(amount.unscaled, amount.scale), 1024)
        return f"{mantissa}{_BINARY_SUFFIX.get(exponent * 10, '')}"
    mantissa, factors = _without_factor(amount.unscaled, 10)
    exponent = amount.scale + factors
    mantissa *= 10 ** (exponent % 3)
    exponent -= exponent % 3
    if form == "DecimalSI":
        return f"{mantissa}{_DECIMAL_SUFFIX.get(exponent, '')}"
    return f"{mantissa}e{exponent}" if exponent else str(mantissa)


def _without_factor(number: int, factor: int) -> tuple[int, int]:
    times = 0
    while number % factor == 0:
        number //= factor
        times += 1
    return number, times


@functools.lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """As the API writes it back. ValueError: carries upstream's message."""
    return str(parse(text))


@functools.lru_cache(maxsize=8192)
def canonical_milli(text: str) -> str:
    """As the API writes back the amounts of core's resource lists, which are rounded up to milli."""
    return str(parse(text).rounded(-3))


def value(text: str) -> int:
    """Whole units, rounded up (away from zero)."""
    return parse(text).scaled(0)


def milli_value(text: str) -> int:
    """Thousandths, rounded up (away from zero)."""
    return parse(text).scaled(-3)


def compare(left: str, right: str) -> int:
    """-1, 0 or 1."""
    a, b = parse(left).nano, parse(right).nano
    return (a > b) - (a < b)


def add(left: str, right: str) -> str:
    """The sum, in the left side's format unless that is zero."""
    return str(parse(left) + parse(right))


def sub(left: str, right: str) -> str:
    """The difference, in the left side's format unless that is zero."""
    return str(parse(left) - parse(right))
