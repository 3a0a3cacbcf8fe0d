"""The words of a shell line: quotes, expansions and substitutions, read character by character. Pure."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import NamedTuple, Self

from cline_cli.policy._words import HOLE, SHELL_VARIABLES, WILD, Simple, UnreadableError, Word

MAX_DEPTH = 25
META = frozenset(" \t\n;&|<>()")
_BLANKS = " \t"
_PARAMETER = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!_-])", re.ASCII)
_SET_BY_NUMBERS = re.compile(r"([A-Za-z_]\w*)\s*(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))", re.ASCII)
_BRACED = re.compile(r"[#!]?(?:[A-Za-z_]\w*|[0-9]+|[@*#?$!_-])", re.ASCII)
_ANSI = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


class Document(NamedTuple):
    """A here-document."""

    place: int
    """Whose input it is, among the commands that were found."""
    end: str
    is_quoted: bool
    is_indented: bool


class Found:
    """What the readers of a script and of its substitutions have found so far."""

    def __init__(self) -> None:
        self.commands: list[Simple] = []
        self.literals: list[str] = []
        self.computes = False
        self.declares = False
        """It declares variables whose name or value is only known when it runs."""


class WordReader(ABC):
    """Stands at a place in a text; what it finds goes to `found`, which the readers of substitutions share."""

    def __init__(self, text: str, found: Found, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise UnreadableError("it is nested too deeply")
        self._text = text
        self._at = 0
        self._found = found
        self._depth = depth
        self._documents: list[Document] = []
        """Those whose text has not come yet."""

    @abstractmethod
    def commands(self, *ends: str) -> str:
        """Read commands until one of these stands where a command could; return it. "" is the end of the text."""

    def _inner(self, text: str) -> Self:
        return type(self)(text, self._found, self._depth + 1)

    # Words

    def _word(self) -> Word:
        start = self._at
        pieces: list[str] = []
        braces = ""
        """Of `{`, `,`, `.` and `}` outside of quotes, those that were seen."""
        while not self._ended():
            character = self._peek()
            if character in "<>" and self._text.startswith("(", self._at + 1) and not pieces:
                self._at += 2
                pieces.append(self._substitution())
                continue
            if character in META:
                break
            if character in "{},.":
                braces += character
            pieces.append(self._piece(is_first=not pieces))
        source = self._text[start : self._at]
        if not source:
            raise UnreadableError(f"{self._text[start : start + 10]!r} stands where it cannot")
        text = "".join(pieces)
        known = text
        inside = braces[braces.find("{") : braces.rfind("}")] if "{" in braces else ""
        if "," in inside or ".." in inside:
            text = HOLE
        if source in {"[", "]", "[[", "]]"}:
            text = known = source
        elif "[" in source:
            self._found.literals.append("[")
        self._found.literals += [known, "\n"]
        return Word(text, source.replace("\\\n", ""))

    def _piece(self, *, is_first: bool) -> str:
        character = self._peek()
        if character == "\\":
            escaped = self._next_but_one("it ends with a backslash")
            return "" if escaped == "\n" else escaped
        if character == "'":
            return self._single_quoted()
        if character == '"':
            self._at += 1
            return self._double_quoted()
        if character in "$`":
            return self._expansion(in_double_quotes=False)
        self._at += 1
        if character in "*?[":
            return WILD
        return HOLE if character == "~" and is_first else character

    def _next_but_one(self, otherwise: str) -> str:
        """Step over two characters and return the second.

        Raises:
            UnreadableError: there is none.
        """
        if self._at + 1 >= len(self._text):
            raise UnreadableError(otherwise)
        self._at += 2
        return self._text[self._at - 1]

    # Quotes

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise UnreadableError("a quote is not closed")
        text = self._text[self._at + 1 : end]
        self._refuse_line_in_document(text)
        self._at = end + 1
        return text

    def _double_quoted(self, end: str = '"') -> str:
        """Read from behind the quote to the closing one; with an empty `end` to the end of the text."""
        pieces: list[str] = []
        while not self._ended() and self._peek() != end:
            character = self._peek()
            if character == "\\":
                escaped = self._next_but_one("a quote is not closed")
                pieces.append({"\n": ""}.get(escaped, escaped if escaped in '$`"\\' else f"\\{escaped}"))
            elif character in "$`":
                pieces.append(self._expansion(in_double_quotes=True))
            else:
                self._at += 1
                pieces.append(character)
        if end and not self._take(end):
            raise UnreadableError("a quote is not closed")
        text = "".join(pieces)
        self._refuse_line_in_document(text)
        return text

    def _ansi_quoted(self) -> str:
        pieces: list[str] = []
        while not self._ended():
            character = self._peek()
            self._at += 1
            if character == "'":
                return "".join(pieces)
            pieces.append(self._ansi_escape() if character == "\\" else character)
        raise UnreadableError("a quote is not closed")

    def _ansi_escape(self) -> str:
        match = _ANSI.match(self._text, self._at)
        if not match or match[5] == "c":
            raise UnreadableError("an escape is unusual")
        self._at = match.end()
        if match[5]:
            return _ESCAPES.get(match[5], match[5] if match[5] in "\\'\"?" else f"\\{match[5]}")
        number = int(match[4], 8) & 0xFF if match[4] else int(match[1] or match[2] or match[3], 16)
        is_byte = bool(match[1] or match[4])
        if number < 2 or number > 0x10FFFF or (is_byte and number > 0x7F) or 0xD800 <= number < 0xE000:
            raise UnreadableError("an escape is unusual")
        return chr(number)

    # Expansions

    def _expansion(self, *, in_double_quotes: bool) -> str:
        """Read what a `$` or a backtick begins; return a hole, or the text where it stands for itself."""
        if self._peek() == "`":
            return self._backtick(in_double_quotes=in_double_quotes)
        if not in_double_quotes and self._take("$'"):
            return self._ansi_quoted()
        if not in_double_quotes and self._take('$"'):
            return self._double_quoted()
        if self._text.startswith("$[", self._at):
            raise UnreadableError("$[ ] is not read")
        if self._take("$(("):
            self._arithmetic()
        elif self._take("$("):
            self._substitution()
        elif self._take("${"):
            self._braced()
        else:
            match = _PARAMETER.match(self._text, self._at)
            self._at = match.end() if match else self._at + 1
            return HOLE if match else "$"
        return HOLE

    def _substitution(self) -> str:
        """Read commands up to their closing parenthesis."""
        if self._documents:
            raise UnreadableError("a substitution stands between a here-document and its text")
        self.commands(")")
        if self._documents:
            raise UnreadableError("a here-document is not closed")
        return HOLE

    def _backtick(self, *, in_double_quotes: bool) -> str:
        escapable = '$`\\"' if in_double_quotes else "$`\\"
        pieces: list[str] = []
        self._at += 1
        while not self._take("`"):
            if self._ended():
                raise UnreadableError("a backtick is not closed")
            character = self._peek()
            self._at += 1
            if character == "\\" and not self._ended() and self._peek() in escapable:
                character = self._peek()
                self._at += 1
            pieces.append(character)
        self._inner("".join(pieces)).commands("")
        return HOLE

    def _braced(self) -> None:
        """Read from behind `${` to its brace: the name of a variable, and what is to be done to it."""
        match = _BRACED.match(self._text, self._at)
        if not match:
            raise UnreadableError("${ } is unusual")
        self._found.computes |= match[0].startswith("!")
        self._at = match.end()
        self._index()
        rest = self._text[self._at : self._at + 3]
        if SHELL_VARIABLES.fullmatch(match[0]) and re.match(r":?=", rest):
            raise UnreadableError(f"the shell runs what {match[0]} holds")
        if re.match(r":?=", rest):
            self._found.commands.append(Simple((), ((match[0], Word(HOLE, "${=}")),)))
        if rest.startswith("@") and not re.match(r"@[QULuak]\}", rest):
            raise UnreadableError("${name@P} runs what the variable holds")
        self._found.computes |= bool(re.match(r":[^-=?+]", rest))
        self._found.literals.append("\n")
        while not self._take("}"):
            if self._ended():
                raise UnreadableError("${ is not closed")
            character = self._peek()
            if character == "'":
                # In double quotes it is none, and outside it is one.
                raise UnreadableError("a quote in ${ } is not read")
            if self._take('"'):
                self._found.literals.append(self._double_quoted())
            elif character == "\\":
                self._next_but_one("${ is not closed")
            elif character in "$`":
                self._expansion(in_double_quotes=True)
            else:
                self._found.literals.append(character)
                self._at += 1

    def _index(self) -> None:
        if self._take("["):
            end = self._text.find("]", self._at)
            inner = self._text[self._at : end]
            if end < 0 or not re.fullmatch(r"[@*\w$-]*", inner):
                raise UnreadableError("an element of an array is computed")
            self._found.computes |= inner not in {"@", "*"} and not inner.isdecimal()
            self._at = end + 1

    def _arithmetic(self) -> None:
        """Read from behind `((` to `))`, with what is substituted in between."""
        self._found.computes = True
        depth = 0
        start = self._at
        while not self._ended():
            if depth == 0 and self._take("))"):
                for name in _SET_BY_NUMBERS.findall(self._text[start : self._at]):
                    self._found.commands.append(Simple((), ((name, Word(HOLE, "(( ))")),)))
                return
            character = self._peek()
            if character in "$`":
                self._expansion(in_double_quotes=True)
                continue
            if character in "'\"\\\n":
                raise UnreadableError("a calculation is unusual")
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth < 0:
                raise UnreadableError("(( can be two things")
            self._at += 1
        raise UnreadableError("(( is not closed")

    # Characters

    def _ended(self) -> bool:
        return self._at >= len(self._text)

    def _peek(self) -> str:
        return self._text[self._at]

    def _take(self, what: str) -> bool:
        if not self._text.startswith(what, self._at):
            return False
        self._at += len(what)
        return True

    def _skip_blanks(self) -> None:
        while not self._ended():
            if self._peek() in _BLANKS:
                self._at += 1
            elif self._text.startswith("\\\n", self._at):
                self._at += 2
            elif self._peek() == "#" and (self._at == 0 or self._text[self._at - 1] in META):
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            else:
                return

    def _refuse_line_in_document(self, text: str) -> None:
        if self._documents and "\n" in text:
            raise UnreadableError("a line ends between a here-document and its text")
