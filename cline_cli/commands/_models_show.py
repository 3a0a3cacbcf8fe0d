"""How `cline models` shows its list: a table on a terminal, a line a model elsewhere, one array for programs.

A line begins with the model's name, so that `cline models | fzf` and `cut -d" " -f1` need nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cline_cli.agent.messages import JsonObject
from cline_cli.commands._models_rows import Listing, Model
from cline_cli.environment import Environment
from cline_cli.frontends.figures import format_tokens
from cline_cli.text import display_width, one_line

if TYPE_CHECKING:
    from cline_cli.commands._tables import Cell

UNKNOWN = "?"
GAP = "  "


def to_json(listing: Listing) -> str:
    """Return the models as one array; prices are USD per million tokens, and null is not known."""
    return f"{json.dumps([_to_object(model, listing) for model in listing.models])}\n"


def to_lines(listing: Listing) -> str:
    """Return a line a model: name, window, output, price of input and output, abilities, and what is to be said."""
    untested = "untested" if _is_untested(listing) else ""
    rows = [[*map(one_line, _plain_cells(model)), untested] for model in listing.models]
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    return "".join(f"{_join(row, widths)}\n" for row in rows)


def to_table(listing: Listing, environment: Environment) -> str:
    """Return the table for a terminal, and below it what holds for all of it."""
    from cline_cli.commands._tables import Cell, Column, is_styled, render_table  # lazy: 50 ms of rich
    from cline_cli.frontends.console.screen import measure  # lazy: 45 ms of asyncio, and a pipe has no width

    columns = (
        Column("Model"),
        Column("Context", "right", leaves=1),
        Column("Output", "right", leaves=5),
        Column("$/M in", "right", leaves=2),
        Column("$/M out", "right", leaves=3),
        Column("Images", leaves=6),
        Column("Reasons", leaves=7),
        Column("", leaves=4),
    )
    shown = len(columns) if any(map(_remark, listing.models)) else len(columns) - 1
    return render_table(
        columns[:shown],
        [[Cell(model.name), *_table_cells(model)][:shown] for model in listing.models],
        measure(environment.stdout, environment.variables).columns,
        is_coloured=is_styled(environment.variables),
        note="\n".join(_notes(listing)),
    )


def _to_object(model: Model, listing: Listing) -> JsonObject:
    known, target = model.facts, listing.target
    return {
        "model": model.name,
        "provider": target.name if target else None,
        "evidence": (target.row.evidence or None) if target else None,
        "origin": listing.origin,
        "isDefault": model.is_default,
        "isInstalled": model.is_installed,
        "contextWindow": known.context_window if known else None,
        "maxOutputTokens": known.max_output_tokens if known else None,
        "inputUsd": known.input_usd if known else None,
        "outputUsd": known.output_usd if known else None,
        "cacheReadUsd": known.cache_read_usd if known else None,
        "cacheWriteUsd": known.cache_write_usd if known else None,
        "takesImages": known.takes_images if known else None,
        "reasons": known.reasons if known else None,
        "usesTools": known.uses_tools if known else None,
        "editFormat": known.edit_format if known else None,
    }


def _plain_cells(model: Model) -> tuple[str, ...]:
    known = model.facts
    return (
        model.name,
        _tokens(known.context_window if known else None),
        _tokens(known.max_output_tokens if known else None),
        _price(known.input_usd if known else None, "$"),
        _price(known.output_usd if known else None, "$"),
        _ability(known.takes_images if known else None, "images"),
        _ability(known.reasons if known else None, "reasons"),
        _remark(model),
    )


def _table_cells(model: Model) -> Sequence[Cell]:
    from cline_cli.commands._tables import Cell  # lazy: as above

    known = model.facts
    return (
        Cell(_tokens(known.context_window if known else None)),
        Cell(_tokens(known.max_output_tokens if known else None)),
        Cell(_price(known.input_usd if known else None)),
        Cell(_price(known.output_usd if known else None)),
        Cell(_ability(known.takes_images if known else None, "yes", "no")),
        Cell(_ability(known.reasons if known else None, "yes", "no")),
        Cell(_remark(model), "green" if model.is_default else "dim"),
    )


def _tokens(number: int | None) -> str:
    return UNKNOWN if number is None else format_tokens(number)


def _price(usd: float | None, sign: str = "") -> str:
    return UNKNOWN if usd is None else f"{sign}{usd:g}"


def _ability(has: bool | None, word: str, other: str = "-") -> str:
    return UNKNOWN if has is None else word if has else other


def _remark(model: Model) -> str:
    words = ["default"] if model.is_default else []
    if model.is_installed is not None:
        words.append("installed" if model.is_installed else "not installed")
    return ", ".join(words)


def _join(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (f"{cell}{' ' * (width - display_width(cell))}" for cell, width in zip(row, widths, strict=True))
    return GAP.join(cells).rstrip()


def _is_untested(listing: Listing) -> bool:
    """Return whether no test plays a reply that is this provider's own."""
    return listing.target is not None and listing.origin != "machine" and not listing.target.row.evidence


def _notes(listing: Listing) -> Iterator[str]:
    """Yield what the table does not say itself."""
    target = listing.target
    if target is None:
        yield "No provider is set up (cline auth): these are all models of the catalog, by the names that gateways use."
        return
    yield f"Models of {target.name} ({target.why}){', untested' if _is_untested(listing) else ''}."
    if target.model:
        yield f"A run asks {target.model} where -m names no other."
    else:
        yield "There is no default: name a model with -m."
    if listing.origin == "catalog":
        yield f"Prices are estimates. To ask {target.name} itself: cline models -P {target.name} --live"
