"""A reader of shell lines for those who decide whether one may run: every simple command in it, or a refusal.

It reads the language of bash (5.2) as far as people and models write it: lists, pipelines, loops, functions, quotes,
expansions, here-documents; substitutions are read as scripts of their own. It runs nothing and looks nothing up. Where
bash could read something else than this does, it raises: whoever decides then says no, and never guesses.

    commands ──> command ──> simple ──> word ──> $( ) ` ` <( ) ──> commands
                    └──────> if, for, case, { }, ( ), [[ ]], (( )), f() ──> commands
"""

from __future__ import annotations

import re

from cline_cli.policy._shell_words import MAX_DEPTH, META, Document, Found, WordReader
from cline_cli.policy._variables import DECLARING, check_declarations, computes_by_name, find_effect
from cline_cli.policy._words import HOLE, SHELL_VARIABLES, WILD, Redirect, Script, Simple, UnreadableError, Word

__all__ = ["HOLE", "WILD", "Redirect", "Script", "Simple", "UnreadableError", "Word", "read_script"]

MAX_CHARACTERS = 50_000
_FORBIDDEN = re.compile("[\0-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")
"""Control characters, and what the original command (2.18) refuses as line breaks."""
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\[[^\s\[\]]*\])?\+?=", re.ASCII)
_REDIRECT = re.compile(r"(\d*)(<<<|<<-|<<|<>|<&|<|>>|>\||>&|>)|&>>|&>")
_RESERVED = re.compile(
    r"(?:if|then|elif|else|fi|for|while|until|do|done|case|esac|select|function|time|coproc|!|\[\[|[{}])"
    r"(?=[ \t\n;&|<>()]|$)"
)
_FUNCTION = re.compile(r"[^\s;&|<>()'\"\\$`={}!]+[ \t]*\([ \t]*\)")
_COMPARISONS = frozenset("-eq -ne -lt -le -gt -ge -v -R".split())


def read_script(text: str) -> Script:
    """Return the simple commands of a shell script.

    Raises:
        UnreadableError: what it would run cannot be told, or it is not shell.
    """
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"it has more than {MAX_CHARACTERS:,} characters")
    if _FORBIDDEN.search(text):
        raise UnreadableError("it holds control characters or unusual line breaks")
    found = Found()
    reader = _Reader(text, found, 0)
    reader.commands("")
    literals = "".join(found.literals)
    if found.declares:
        check_declarations(text, literals)
    return Script(tuple(found.commands), found.computes or computes_by_name(text), literals)


class _Reader(WordReader):
    def commands(self, *ends: str) -> str:
        """Read commands until one of these stands where a command could; return it. "" is the end of the text."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnreadableError("it is nested too deeply")
        while True:
            self._skip_lines()
            for end in sorted(ends, key=len, reverse=True):
                if self._takes_end(end):
                    self._depth -= 1
                    return end
            if self._ended():
                raise UnreadableError("it ends in the middle of something")
            self._command()
            self._skip_blanks()
            self._separator(ends)

    def _takes_end(self, end: str) -> bool:
        if end == "":
            return self._ended()
        if not self._text.startswith(end, self._at):
            return False
        after = self._text[self._at + len(end) : self._at + len(end) + 1]
        if end[0] not in ");" and after and after not in META:
            return False
        self._at += len(end)
        return True

    def _separator(self, ends: tuple[str, ...]) -> None:
        if self._ended() or self._peek() == "\n":
            return
        for operator in ("&&", "||", "|&", "|", "&"):
            if self._take(operator):
                if operator != "&":
                    self._skip_lines()
                    if self._ended() or self._peek() in ";&|)":
                        raise UnreadableError(f"nothing stands behind {operator}")
                return
        if any(end[0] in ");" and self._text.startswith(end, self._at) for end in ends if end):
            return
        if self._text.startswith(";;", self._at) or not self._take(";"):
            raise UnreadableError(f"{self._text[self._at :][:10]!r} stands where it cannot")

    def _command(self) -> None:
        if self._take("(("):
            self._arithmetic()
        elif self._take("("):
            self.commands(")")
        else:
            self._command_by_word()
            return
        self._redirects_behind()

    def _command_by_word(self) -> None:
        if self._opens_function():
            self._function()
            return
        word = _RESERVED.match(self._text, self._at)
        if not word:
            self._simple()
            return
        self._at = word.end()
        compound = {
            "{": lambda: self.commands("}"),
            "if": self._if,
            "while": self._loop,
            "until": self._loop,
            "for": self._for,
            "select": self._for,
            "case": self._case,
            "[[": self._test,
        }.get(word[0])
        if compound:
            compound()
            self._redirects_behind()
        elif word[0] in {"!", "time"}:
            self._skip_blanks()
            if word[0] == "time" and self._take("-p"):
                self._skip_blanks()
            if not self._ended() and self._peek() not in ";&|\n)":
                self._command()
        elif word[0] == "function":
            self._skip_blanks()
            self._function()
        else:
            raise UnreadableError(f"{word[0]} stands where it cannot, or is not read")

    def _opens_function(self) -> bool:
        return _FUNCTION.match(self._text, self._at) is not None

    def _function(self) -> None:
        name = self._word()
        if not name.is_plain:
            raise UnreadableError("a function has an unusual name")
        self._skip_blanks()
        if self._take("("):
            self._skip_blanks()
            if not self._take(")"):
                raise UnreadableError("a function is not closed")
        self._skip_lines()
        if self._ended() or self._peek() not in "{(":
            raise UnreadableError("the body of a function is neither { } nor ( )")
        self._command()

    def _if(self) -> None:
        self.commands("then")
        end = self.commands("elif", "else", "fi")
        while end == "elif":
            self.commands("then")
            end = self.commands("elif", "else", "fi")
        if end == "else":
            self.commands("fi")

    def _loop(self) -> None:
        self.commands("do")
        self.commands("done")

    def _for(self) -> None:
        self._skip_blanks()
        if self._take("(("):
            self._arithmetic()
        else:
            name = self._word()
            if not _NAME.fullmatch(name.source) or SHELL_VARIABLES.fullmatch(name.source):
                raise UnreadableError("a loop has an unusual variable")
            self._add(Simple((), ((name.source, Word(HOLE, "for")),)))
            self._skip_lines()
            if self._takes_end("in"):
                self._words_until_end()
        self._skip_blanks()
        self._take(";")
        self._skip_lines()
        if self._takes_end("do"):
            self.commands("done")
        elif self._takes_end("{"):
            self.commands("}")
        else:
            raise UnreadableError("a loop has no do")

    def _words_until_end(self) -> None:
        self._skip_blanks()
        while not self._ended() and self._peek() not in ";\n":
            self._word()
            self._skip_blanks()

    def _case(self) -> None:
        self._skip_blanks()
        self._word()
        self._skip_lines()
        if not self._takes_end("in"):
            raise UnreadableError("case has no in")
        while True:
            self._skip_lines()
            if self._takes_end("esac"):
                return
            self._take("(")
            self._skip_blanks()
            self._word()
            self._skip_blanks()
            while self._take("|"):
                self._skip_blanks()
                self._word()
                self._skip_blanks()
            if not self._take(")"):
                raise UnreadableError("a pattern of case is not closed")
            if self.commands(";;&", ";;", ";&", "esac") == "esac":
                return

    def _test(self) -> None:
        """Read from behind `[[` to `]]`: only words, with parentheses and bars between them."""
        while True:
            self._skip_blanks()
            if self._ended() or self._peek() in ";\n":
                raise UnreadableError("[[ is not closed")
            if self._peek() in "()|&<>":
                self._at += 1
                continue
            word = self._word()
            if word.source == "]]":
                return
            self._found.computes |= word.source in _COMPARISONS

    def _redirects_behind(self) -> None:
        self._skip_blanks()
        if self._redirect_here():
            place = self._add(Simple(()))
            while self._redirect_here():
                self._redirect(place)
                self._skip_blanks()

    def _simple(self) -> None:
        words: list[Word] = []
        assignments: list[tuple[str, Word]] = []
        place = self._add(Simple(()))
        while True:
            self._skip_blanks()
            if self._ended() or self._peek() in ";|\n)":
                break
            if self._redirect_here():
                self._redirect(place)
                continue
            if self._peek() == "&":
                break
            if self._peek() == "(":
                raise UnreadableError("a parenthesis stands where it cannot")
            match = _ASSIGNMENT.match(self._text, self._at)
            if match and (not words or words[0].text in DECLARING):
                assignments.append(self._assignment(match))
            else:
                words.append(self._word())
                if words[-1].source.startswith("{") and not self._ended() and self._peek() in "<>":
                    raise UnreadableError("a descriptor has a name")
        commands = self._found.commands
        commands[place] = command = commands[place]._replace(words=tuple(words), assignments=tuple(assignments))
        if words:
            effect = find_effect(command)
            self._found.computes |= effect.computes
            self._found.declares |= effect.declares

    def _add(self, command: Simple) -> int:
        self._found.commands.append(command)
        return len(self._found.commands) - 1

    def _assignment(self, match: re.Match[str]) -> tuple[str, Word]:
        start = self._at
        if match[2] and re.search(r"[^\w@*]", match[2][1:-1]):
            raise UnreadableError("an element of an array is computed")
        self._found.computes |= bool(match[2]) and not match[2][1:-1].isdecimal()
        self._at = match.end()
        if self._take("("):
            parts: list[Word] = []
            self._skip_lines()
            while not self._take(")"):
                if self._ended() or self._peek() in ";&|<>":
                    raise UnreadableError("an array is not closed")
                parts.append(self._word())
                self._skip_lines()
            self._found.computes |= any(part.source.startswith("[") for part in parts)
            text = " ".join(part.text for part in parts)
        else:
            text = "" if self._ended() or self._peek() in META else self._word().text
        return match[1], Word(text, self._text[start : self._at])

    def _redirect_here(self) -> bool:
        return self._match_redirect() is not None

    def _match_redirect(self) -> re.Match[str] | None:
        match = _REDIRECT.match(self._text, self._at)
        if match and match[2] in {"<", ">"} and self._text.startswith("(", match.end()) and not match[1]:
            return None  # <( ) is a word
        return match

    def _redirect(self, place: int) -> None:
        """Read a redirection of the command at that place."""
        match = self._match_redirect()
        assert match, "the caller has looked"
        self._at = match.end()
        operator = match[2] or match[0]
        self._skip_blanks()
        if self._ended() or self._peek() in "\n;&|)":
            raise UnreadableError("a redirection leads nowhere")
        target = self._word()
        if operator in {"<<", "<<-"}:
            is_quoted = not target.is_plain
            if not target.is_literal:
                raise UnreadableError("the end of a here-document is not plain")
            self._documents.append(Document(place, target.text, is_quoted, operator == "<<-"))
            return
        command = self._found.commands[place]
        self._found.commands[place] = (
            command._replace(stdin=target)
            if operator == "<<<"
            else command._replace(redirects=(*command.redirects, Redirect(operator, target)))
        )

    def _skip_lines(self) -> None:
        """Skip blanks, comments and line breaks, and read the here-documents that begin behind those."""
        self._skip_blanks()
        while not self._ended() and self._peek() == "\n":
            self._at += 1
            self._read_documents()
            self._skip_blanks()
        if self._ended() and self._documents:
            raise UnreadableError("a here-document is not closed")

    def _read_documents(self) -> None:
        documents, self._documents = self._documents, []
        for document in documents:
            lines: list[str] = []
            while True:
                if self._ended():
                    raise UnreadableError("a here-document is not closed")
                stop = self._text.find("\n", self._at)
                line = self._text[self._at : stop if stop >= 0 else len(self._text)]
                self._at = stop + 1 if stop >= 0 else len(self._text)
                line = line.lstrip("\t") if document.is_indented else line
                if line == document.end:
                    break
                lines.append(f"{line}\n")
            body = "".join(lines)
            text = body if document.is_quoted else self._inner(body).document()
            self._found.literals.append(text)
            command = self._found.commands[document.place]
            self._found.commands[document.place] = command._replace(stdin=Word(text, body))

    def document(self) -> str:
        """Return the text of a here-document, with what is substituted in it."""
        return self._double_quoted("")
