"""Hashes as they are seen in names.

Stands for apimachinery's rand.SafeEncodeString over the 32-bit FNV-1a of an object. Upstream hashes a Go print of the
object: the values differ, the shape does not.
"""

from __future__ import annotations

# No vowels and no look-alikes: no words come out.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def fnv_name(data: bytes) -> str:
    """The hash of data: up to ten letters and digits."""
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(c) % len(_ALPHABET)] for c in str(value))
