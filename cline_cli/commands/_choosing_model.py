"""Picking a model: from what a server lists, found by a number, a name or a part of one; or by its name alone.

A long list is shown in part, since a part of a name finds the rest; what is known of a model stands beside it.
"""

from __future__ import annotations

from cline_cli.catalog.models import filter_names
from cline_cli.commands._choosing import (
    SHOWN,
    Item,
    describe_model,
    lay_out,
    rank_models,
    read_number,
    wrap,
)
from cline_cli.commands._dev_tty import Terminal
from cline_cli.text import one_line, visible


def choose_model(terminal: Terminal, provider: str, models: tuple[str, ...], default: str) -> str:
    """Return the name of a model: one of the list, or another, typed once more where there is a list.

    Enter takes the default, which may be empty, or the first of those that a part of a name has found.

    Raises:
        NoAnswerError: the person gave up.
    """
    ranked = rank_models((default, *models) if default else models, default)
    matching, first, refused = ranked, default or (ranked[0] if len(ranked) == 1 else ""), ""
    if models:
        _show(terminal, matching)
    hint = "a number, a name or a part of one" if models else "its name"
    while True:
        answer = terminal.ask(f"Model: {hint}{f' [{visible(first)}]' if first else ''}: ") or first
        number = read_number(answer, min(len(matching), SHOWN)) if models else None
        if number is not None:
            return matching[number]
        is_name = bool(answer) and answer.isprintable()
        if is_name and (not models or answer in ranked or answer == refused):
            return answer
        found = filter_names(ranked, answer) if is_name else ()
        if found:
            matching, first = found, found[0]
            _show(terminal, matching)
            continue
        told = "That is no name of a model." if answer else "A model is needed."
        if is_name:
            refused = answer
            told = f"{provider} lists no model with {one_line(answer, 60)} in its name."
            told += " Type it once more to take it all the same."
        terminal.tell(wrap(told, terminal.columns))


def _show(terminal: Terminal, models: tuple[str, ...]) -> None:
    items = [Item(name, describe_model(name)) for name in models[:SHOWN]]
    left = len(models) - len(items)
    more = f"      and {left} more: a part of a name shows those that have it\n" if left else ""
    terminal.tell(f"\n{lay_out(items, terminal.columns)}{more}\n")
