"""What an answer has to be: `--schema` in its three forms, and the answers that are held to it. Pure but for one file.

    "name, age int, tags list"     the short form: fields parted by commas or line ends, `name [type][: description]`
    '{"type": "object", ...}'      JSON Schema 2020-12, or of the draft that its $schema names
    ./answer.json                  a file that holds one

Nothing is ever fetched: a $ref leads to something in the same schema, or to a published draft, which jsonschema brings
along. `format` is held to, where Python alone can tell. A pattern or a schema that takes for ever is given up.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cline_cli.agent.answer import AnswerRefusedError
from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.errors import UsageError
from cline_cli.text import one_line

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

MAX_SCHEMA_BYTES = 1 << 20
MAX_REASON = 300
"""Cells of a refusal; a model needs the fault, not its own document back."""
CHECK_S = 1.0
"""CPU time that one check may take: a run has two seconds to end after a signal, which waits for the check."""
_SHOWN_FAULTS = 3
_SHOWN_VALUE = 60

_TYPES: Mapping[str, str] = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "number": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "object": "object",
    "string": "string",
    "integer": "integer",
    "boolean": "boolean",
    "array": "array",
}
_HINT = 'Describe the fields, like "name, age int, tags list"; or give a JSON Schema, or the path of a file with one'
_NAME = re.compile(r"[^\W\d][\w-]*")
_LIST_OF = re.compile(r"(?:list|array)(?:\s*\[(?P<inner>.*)\]|\s+(?P<words>.*))", re.DOTALL)
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What JSON may hold as it is, and some reader takes for a line end, a control character or no text at all."""
_DRAFTS = ("https://json-schema.org/", "http://json-schema.org/")


class _TookTooLongError(Exception):
    """A check was given up."""


class AnswerCheck:
    """Holds answers to a schema that `read_schema` returned; a `CheckAnswer`."""

    def __init__(self, schema: JsonObject) -> None:
        self._validator = _to_validator(schema)

    def __call__(self, text: str) -> str:
        """Return the answer's document as one line of JSON, its keys in the order of the answer.

        A code fence around the whole answer is taken off. The line holds no control character and nothing that any
        reader takes for a line end; these are escaped.

        Raises:
            AnswerRefusedError: it is no JSON document, or not one that the schema allows.
            UsageError: the schema itself turns out to be unusable.
        """
        try:
            with _limited():
                document = _parse(_without_fence(text))
                faults = self._find_faults(document)
                if not faults:
                    return _to_line(document)
        except json.JSONDecodeError as error:
            what = f"it is no JSON document: {_say_place(error)}"
            raise AnswerRefusedError(f"{what}. Nothing but the document may stand in the answer") from None
        except RecursionError:
            raise AnswerRefusedError("its JSON is nested too deeply") from None
        except _TookTooLongError:
            raise AnswerRefusedError("checking it took too long; its texts have to be shorter") from None
        except ValueError as error:
            raise AnswerRefusedError(one_line(f"it is no JSON document: {error}", MAX_REASON)) from None
        raise AnswerRefusedError(one_line("; ".join(faults), MAX_REASON))

    def _find_faults(self, document: JsonValue) -> Sequence[str]:
        from jsonschema.exceptions import best_match  # lazy: 90 ms, for runs with --schema
        from referencing.exceptions import Unresolvable  # lazy: comes with jsonschema

        try:
            errors = list(islice(self._validator.iter_errors(document), _SHOWN_FAULTS))
        except (Unresolvable, ValueError) as error:
            raise UsageError(one_line(f"the schema cannot be used: {error}", MAX_REASON)) from None
        return [_say_fault(best_match(iter([error])) or error) for error in errors]


def read_schema(text: str, folder: Path) -> JsonObject:
    """Return the schema that `--schema` gives: itself, in a file (relative to `folder`), or in the short form.

    Raises:
        UsageError: it is none, it refers to another one, or its file cannot be read.
    """
    text = text.strip()
    if text.startswith("{"):
        return _require_schema(text, "--schema")
    if _is_path(text):
        return _require_schema(_read_file(text, folder), f"the schema in {one_line(text, 100)}")
    return _from_fields(text)


def schema_instructions(schema: JsonObject) -> str:
    """Return what tells a model to answer with such a document; for the end of the system prompt."""
    document = _to_line(schema)
    return (
        "Your final answer is one JSON document and nothing else: no words before or after it, no code fence. "
        f"It satisfies this JSON Schema:\n{document}"
    )


def _is_path(text: str) -> bool:
    if "\n" in text:
        return False
    is_marked = text.startswith(("/", "./", "../", "~/")) or text.endswith(".json")
    return is_marked or ("/" in text and "," not in text)


def _read_file(name: str, folder: Path) -> str:
    shown = one_line(name, 100)
    try:
        # Opening alone can do something to a device, so what it is is asked before, and made sure of afterwards.
        path = folder / Path(name).expanduser()
        _require_file(path.stat(), shown)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _require_file(os.fstat(descriptor), shown)
            data = file.read(MAX_SCHEMA_BYTES + 1)
    except (OSError, RuntimeError, ValueError) as error:  # no home; a NUL in the name
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot read the schema {shown}: {cause}", _HINT) from None
    if len(data) > MAX_SCHEMA_BYTES:
        raise UsageError(f"cannot read the schema {shown}: it is larger than {MAX_SCHEMA_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise UsageError(f"cannot read the schema {shown}: it is not UTF-8 at line {line}, column {column}") from None


def _require_file(status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"cannot read the schema {shown}: it is a folder", _HINT)
        raise UsageError(f"cannot read the schema {shown}: it is no ordinary file", 'Give its text: --schema "$(...)"')


def _require_schema(text: str, source: str) -> JsonObject:
    """Return the schema in a JSON text; `source` says where it came from, for messages."""
    try:
        schema = _parse(text)
        if not isinstance(schema, dict):
            raise UsageError(f"{source} is no JSON object")
        with _limited():
            _check(schema, source)
    except json.JSONDecodeError as error:
        raise UsageError(f"{source} is not JSON: {_say_place(error)}") from None
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply, or refers to itself without end") from None
    except _TookTooLongError:
        raise UsageError(f"{source} takes too long to check") from None
    except ValueError as error:
        raise UsageError(one_line(f"{source} cannot be used: {error}", MAX_REASON)) from None
    return schema


def _check(schema: JsonObject, source: str) -> None:
    """Raise UsageError for a schema that is not valid, or refers to what it does not hold."""
    if not isinstance(schema.get("$schema", ""), str):
        raise UsageError(f"{source} is not valid: its $schema is no text")
    draft = _to_validator({"$schema": schema["$schema"]} if "$schema" in schema else {})
    rules = _to_validator(draft.META_SCHEMA)
    _require_valid(schema, rules, source)
    try:
        _check_references(schema, rules, source)
        validator = _to_validator(schema)
        probes: Sequence[JsonValue] = ({}, [], "", 0, None)
        for probe in probes:  # a schema that does nothing but refer to itself fails here, and not at the answer
            list(validator.iter_errors(probe))
    except re.error as error:
        raise UsageError(f"{source} is not valid: {one_line(str(error.pattern), 100)!r} is no pattern") from None


def _require_valid(schema: JsonValue, rules: Validator, source: str) -> None:
    from jsonschema.exceptions import best_match  # lazy: 90 ms, for runs with --schema

    error = best_match(rules.iter_errors(schema))
    if error:
        raise UsageError(f"{source} is not valid: {one_line(_say_fault(error), MAX_REASON)}")


def _check_references(schema: JsonObject, rules: Validator, source: str) -> None:
    """Visit every schema in this one, and every one that is referred to."""
    from referencing import Registry  # lazy: comes with jsonschema
    from referencing.exceptions import Unresolvable  # lazy: comes with jsonschema
    from referencing.jsonschema import DRAFT202012, specification_with  # lazy: comes with jsonschema

    draft = specification_with(str(schema.get("$schema", "")), default=DRAFT202012)
    root = draft.create_resource(schema)
    pending = [(root, Registry().resolver_with_root(root))]
    seen: set[int] = set()
    while pending:
        resource, resolver = pending.pop()
        contents = resource.contents
        if not isinstance(contents, Mapping) or id(contents) in seen:
            continue
        seen.add(id(contents))
        for pattern in contents.get("patternProperties", ()):  # older drafts do not check these
            re.compile(pattern)
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            reference = contents.get(keyword)
            if not isinstance(reference, str):
                continue
            try:
                if reference.startswith(_DRAFTS):
                    list(_to_validator({"$ref": reference}).iter_errors({}))
                    continue
                found = resolver.lookup(reference)
            except (Unresolvable, ValueError):
                raise _unresolvable(reference) from None
            _require_valid(found.contents, rules, source)  # it may stand where no schema is expected
            pending.append((draft.create_resource(found.contents), found.resolver))
        pending += [(inner, resolver.in_subresource(inner)) for inner in resource.subresources()]


def _to_validator(schema: JsonObject) -> Validator:
    from jsonschema.validators import Draft202012Validator, validator_for  # lazy: 90 ms, for runs with --schema
    from referencing import Registry  # lazy: comes with jsonschema

    kind = validator_for(schema, default=Draft202012Validator)
    # Without a registry of ours it would fetch what it does not know.
    return kind(schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)


def _unresolvable(reference: str) -> UsageError:
    message = f"the schema refers to {one_line(reference, 100)}, which is not in it"
    return UsageError(message, "Nothing is fetched: put it under $defs")


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Give up what takes longer than CHECK_S, in the main thread; a pattern can be stopped by a signal only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _give_up)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, CHECK_S, CHECK_S)
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        finally:  # also when it strikes just now
            signal.signal(signal.SIGVTALRM, before)


def _give_up(number: int, frame: object) -> NoReturn:  # noqa: ARG001  # as every handler
    raise _TookTooLongError


def _parse(text: str) -> JsonValue:
    """Return what strict JSON says: no NaN, no number out of range, no key twice."""
    value: JsonValue = json.loads(
        text, parse_float=_to_float, parse_int=_to_int, parse_constant=_refuse_constant, object_pairs_hook=_to_object
    )
    return value


def _to_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {one_line(digits, 30)} is out of range")
    return number


def _to_int(digits: str) -> int:
    _to_float(digits)  # what is no finite float is no number to most readers, and slow for ours
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _to_object(pairs: Sequence[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the key {json.dumps(name)} stands twice in one object")
        result[name] = value
    return result


def _without_fence(text: str) -> str:
    text = text.strip()
    ticks = len(text) - len(text.lstrip("`"))
    if ticks < 3 or len(text) < 2 * ticks or not text.endswith("`" * ticks):
        return text
    inner = text[ticks:-ticks]
    return inner[4:] if inner[:4].lower() == "json" else inner


def _to_line(document: JsonValue) -> str:
    line = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _say_place(error: json.JSONDecodeError) -> str:
    what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
    return f"{what} at line {error.lineno}, column {error.colno}"


def _say_fault(error: ValidationError) -> str:
    """Return where a document is wrong and why; a value is shown by its beginning."""
    words, value = error.message, repr(error.instance)
    shown = one_line(json.dumps(error.instance, ensure_ascii=False), _SHOWN_VALUE)
    if error.schema is False:
        words = f"{shown} is not allowed"
    elif words.startswith(value):
        words = shown + words[len(value) :]
    return f"at {error.json_path}, {words}"


def _from_fields(text: str) -> JsonObject:
    properties: dict[str, JsonValue] = {}
    for words, description in _split_fields(text):
        name, _, kind = words.partition(" ")
        if not _NAME.fullmatch(name):
            raise UsageError(f"{one_line(name, 50)!r} in --schema cannot be the name of a field", _HINT)
        if name in properties:
            raise UsageError(f"the field {name} stands twice in --schema")
        field = _to_type(kind, name)
        properties[name] = {**field, "description": description} if description else field
    if not properties:
        raise UsageError("--schema is empty", _HINT)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _split_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and type, and the description, of each field; where lines part them, a description may hold commas."""
    lines = text.splitlines()
    for line in lines:
        rest = line
        while rest:
            field, _, after = rest.partition(",")
            words, colon, description = field.partition(":")
            if colon and len(lines) > 1:
                description, after = rest.partition(":")[2].rstrip(" \t,"), ""
            if field.strip():
                yield " ".join(words.split()), description.strip()
            rest = after


def _to_type(words: str, name: str) -> dict[str, JsonValue]:
    words = words.strip().lower()
    if listed := _LIST_OF.fullmatch(words):
        return {"type": "array", "items": _to_type(listed["inner"] or listed["words"] or "", name)}
    if words in {"list", "array"}:
        return {"type": "array", "items": {"type": "string"}}
    kind = _TYPES.get(words or "str")
    if kind is None:
        from difflib import get_close_matches  # lazy: only for this complaint

        near = get_close_matches(words, _TYPES, n=1, cutoff=0)[0]
        message = f"there is no type {one_line(words, 50)!r} for the field {name} in --schema; the nearest is {near}"
        raise UsageError(message, "The types are str, int, float, bool, list and dict")
    return {"type": kind}
