r"""The words that handshake headers are made of: tokens, comma lists, and lists of extensions.

Header fields that carry several values separate them by commas, and a field that appears twice means the same
as one field with both values joined by a comma (RFC 9110 §5.3). So every function here takes *all* values of
a field. RFC 6455 §9.1 adds one small grammar of its own::

    permessage-deflate; client_max_window_bits; server_max_window_bits="10", x-other
    \---- name -----/  \----- parameter -----/  \-- parameter with value --/   \- next extension

A value may be quoted, but what is inside the quotes must again be a token. No token contains a comma,
therefore cutting at every comma is right even though quoted strings exist: a comma inside quotes is a fault
either way. Every run of characters in the patterns is possessive (``++``, ``*+``) and every alternative
starts with another character, so hostile input costs time in proportion to its length, never more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..api.errors import HandshakeFailed, InvalidArgument

TOKEN_BYTES: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What a token consists of (RFC 9110 §5.6.2; the same set as RFC 2616 §2.2, which RFC 6455 refers to)."""

_TCHAR: Final = "[" + re.escape(TOKEN_BYTES.decode("ascii")) + "]"
_OWS: Final = r"[ \t]*+"
_TOKEN: Final = re.compile(f"{_TCHAR}++")

_QUOTED_TOKEN: Final = rf'"((?:{_TCHAR}|\\{_TCHAR})+)"'
_VALUE: Final = f"{_OWS}={_OWS}(?:({_TCHAR}++)|{_QUOTED_TOKEN})"
_PARAMETER_TEXT: Final = f"{_OWS};{_OWS}({_TCHAR}++)(?:{_VALUE})?"
_PARAMETER: Final = re.compile(_PARAMETER_TEXT)
_EXTENSION: Final = re.compile(f"({_TCHAR}++)((?:{_PARAMETER_TEXT})*)")


class ListedExtension(NamedTuple):
    """One element of ``Sec-WebSocket-Extensions``: an offer in a request, an answer in a response."""

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()


def is_token(text: str) -> bool:
    """Say whether ``text`` is one token: one or more visible ASCII characters, no separators (RFC 9110
    §5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def split_list(values: Iterable[str]) -> list[str]:
    """Return the elements of a comma list, in order, without white space around them.

    ``values`` are all values of one header field. Empty elements are skipped, as RFC 9110 §5.6.1.2 asks of
    recipients. Whether the elements are tokens is for the caller to check. Never raises.
    """
    stripped = (element.strip(" \t") for value in values for element in value.split(","))
    return [element for element in stripped if element]


def parse_extensions(values: Iterable[str], *, status: int = 400) -> list[ListedExtension]:
    """Return the extensions that a ``Sec-WebSocket-Extensions`` header lists, in order.

    ``values`` are all values of the field; none means that the field is absent, which is fine. Raises
    ``HandshakeFailed`` with ``status`` for anything outside the grammar (RFC 6455 §9.1: fail at once), also
    for a field that is there and lists nothing. Parameters may repeat; each extension has its own rule there.
    """
    values = tuple(values)
    listed = []
    for element in split_list(values):
        whole = _EXTENSION.fullmatch(element)
        if whole is None:
            raise HandshakeFailed("Sec-WebSocket-Extensions is malformed", status=status)
        name, parameters = whole.group(1, 2)
        listed.append(ListedExtension(name, tuple(map(_parameter, _PARAMETER.finditer(parameters)))))
    if values and not listed:
        # RFC 6455 §9.1: extension-list = 1#extension, at least one.
        raise HandshakeFailed("Sec-WebSocket-Extensions lists nothing", status=status)
    return listed


def _parameter(match: re.Match[str]) -> tuple[str, str | None]:
    """Return name and value of a parameter; quoted or not makes no difference (RFC 6455 §9.1)."""
    name, plain, quoted = match.groups()
    # The only escapes left by the grammar are a backslash and a token character: drop the backslash.
    return name, plain if quoted is None else quoted.replace("\\", "")


def render_extensions(listed: Iterable[ListedExtension]) -> str:
    """Return the field value that lists ``listed`` in this order; the inverse of ``parse_extensions``.

    Values are never quoted: a token needs no quotes. Raises ``InvalidArgument`` where a name or value is no
    token.
    """
    return ", ".join(_render_extension(name, parameters) for name, parameters in listed)


def _render_extension(name: str, parameters: tuple[tuple[str, str | None], ...]) -> str:
    words = [name]
    for parameter, value in parameters:
        words.append(parameter if value is None else f"{parameter}={value}")
        if not is_token(parameter) or not (value is None or is_token(value)):
            raise InvalidArgument("an extension parameter is no token", name=name, parameter=parameter)
    if not is_token(name):
        raise InvalidArgument("an extension name is no token", name=name)
    return "; ".join(words)


__all__ = [
    "TOKEN_BYTES",
    "ListedExtension",
    "is_token",
    "parse_extensions",
    "render_extensions",
    "split_list",
]
