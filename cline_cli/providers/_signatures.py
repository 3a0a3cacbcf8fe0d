"""What a provider wants back with its thinking, marked with its wire format, so that no other one is sent it. Pure.

A history can go on with another provider. What one has signed or encrypted is refused, or not understood, by the next.
"""

from __future__ import annotations


def seal(wire_format: str, value: str) -> str:
    """Return a signature for a ThinkingPart; `wire_format` is a name without a colon."""
    return f"{wire_format}:{value}"


def unseal(wire_format: str, signature: str) -> str | None:
    """Return what was sealed under that name, or None for a signature of another format."""
    name, colon, value = signature.partition(":")
    return value if colon and name == wire_format else None
