"""Quantities: what is kept verbatim, what is rewritten, what is refused."""

import pytest

from fakeapi import quantity

CANONICAL = [
    ("0", "0"),
    ("00", "0"),
    ("0Mi", "0"),
    (".", "0"),
    ("Mi", "0"),
    ("-0", "0"),
    ("+2", "+2"),
    ("0100", "0100"),
    ("1E9", "1E9"),
    ("1e3", "1e3"),
    ("1028Ki", "1028Ki"),
    ("1.500", "1.500"),
    ("1024Ki", "1Mi"),
    ("1024Mi", "1Gi"),
    ("8Mi", "8Mi"),
    ("1000m", "1"),
    ("1000", "1k"),
    ("1500", "1500"),
    ("0.5", "500m"),
    ("0.005", "5m"),
    ("1.5e9", "1500e6"),
    ("1e2", "100"),
    ("1e4", "10e3"),
    ("1.3Gi", "1395864371200m"),
    ("1.5Gi", "1536Mi"),
    ("0.5Mi", "512Ki"),
    ("512", "512"),
    ("1Ki", "1Ki"),
    ("1000Ki", "1000Ki"),
    ("0.1n", "1n"),
    ("1.1n", "2n"),
    ("-1.1n", "-2n"),
    ("9Ei", "9223372036854775807"),
    ("0.5Ki", "512"),
    ("0.0001Ki", "102400u"),
    ("1234567890123456789012", "1234567890123456789012"),
    ("100T", "100T"),
    ("1000T", "1P"),
    ("5.Gi", "5.Gi"),
]


@pytest.mark.parametrize(("text", "want"), CANONICAL)
def test_canonical(text: str, want: str) -> None:
    assert quantity.canonical(text) == want
    assert quantity.parse(want) == quantity.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", quantity.WRONG_FORMAT),
        ("true", quantity.WRONG_FORMAT),
        ("1x", quantity.WRONG_FORMAT),
        ("1 Gi", quantity.WRONG_FORMAT),
        ("1.2.3", quantity.WRONG_FORMAT),
        ("1KiB", quantity.WRONG_FORMAT),
        ("--1", quantity.WRONG_SUFFIX),
        ("1\n", quantity.WRONG_FORMAT),
        ("1kk", quantity.WRONG_SUFFIX),
        ("1e", quantity.WRONG_SUFFIX),
        ("1K", quantity.WRONG_SUFFIX),
        ("1g", quantity.WRONG_FORMAT),
        ("Ei", quantity.WRONG_NUMBER),
        ("1e999999999", quantity.WRONG_SUFFIX),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        quantity.parse(text)
    assert str(caught.value) == message


def test_milli_rounds_up() -> None:
    assert [quantity.canonical_milli(x) for x in ("0.1m", "1.5m", "100u", "2", "1n")] == ["1m", "2m", "1m", "2", "1m"]


def test_values_round_up() -> None:
    assert [quantity.value(x) for x in ("1m", "1.5", "1Ki", "-1m", "1e30")] == [1, 2, 1024, -1, 2**63 - 1]
    assert [quantity.milli_value(x) for x in ("1", "100m", "1u", "0.5")] == [1000, 100, 1, 500]


@pytest.mark.parametrize(
    ("left", "right", "total", "difference"),
    [
        ("1Gi", "512Mi", "1536Mi", "512Mi"),
        ("100m", "1", "1100m", "-900m"),
        ("0", "1Gi", "1Gi", "-1Gi"),
        ("1", "1Ki", "1025", "-1023"),
        ("1Gi", "1", "1073741825", "1073741823"),
        ("2", "2", "4", "0"),
    ],
)
def test_arithmetic(left: str, right: str, total: str, difference: str) -> None:
    assert quantity.add(left, right) == total
    assert quantity.sub(left, right) == difference


def test_order() -> None:
    assert quantity.compare("1", "1000m") == 0
    assert quantity.compare("1Gi", "1G") == 1
    assert quantity.parse("999m") < quantity.parse("1")
    assert quantity.parse("1") <= quantity.parse("1e0")
