"""The scripts of sed, which can run what they edit. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cline_cli.policy._words import Word

_PLACE = r"(?:\d+|\$|/(?:\\.|[^/\n])*/[IM]?)"
SED_RUNS = re.compile(
    rf"(?:^|[;{{}}\n])\s*(?:{_PLACE}(?:,\s*[+~]?{_PLACE})?)?[\s!]*"
    r"(?:e\s*(?:$|[;}\n])|s([^\w\s\\])(?:\\.|(?!\1)[^\n])*\1(?:\\.|(?!\1).)*\1[gpiIMm\d]*e)",
    re.DOTALL,
)
"""A lone `e`, and `s/a/b/e`, behind any address."""
_OPTION = re.compile(r"-[a-zA-Z]*e(.*)|--expr\w*(?:=(.*))?", re.DOTALL)


def find_sed_scripts(words: Sequence[Word]) -> Iterator[str]:
    """Yield the scripts that stand in the words: those of `-e`, else the first operand."""
    texts = [word.text for word in words[1:]]
    given = [(match, at) for at, text in enumerate(texts) if (match := _OPTION.fullmatch(text))]
    for match, at in given:
        yield match[1] or match[2] or "".join(texts[at + 1 : at + 2])
    if not given:
        yield from [text for text in texts if not text.startswith("-")][:1]
