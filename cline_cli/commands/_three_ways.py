"""The three ways to an answer for whoever has set up nothing, and asks a question all the same.

a key  |  a server that was found  |  the embedded model  ──> saved ──> the question is answered
Enter, Ctrl-D, no key that is taken                      ──> the run ends as it does for a script
"""

from __future__ import annotations

from cline_cli.commands._choosing import Item, lay_out, read_number, wrap
from cline_cli.commands._dev_tty import Terminal
from cline_cli.commands._guided import FIRST_CHOICES, Guide, Outside, describe_server, tell_empty
from cline_cli.commands._sign_in import Answers, Asked
from cline_cli.config.settings import Settings


def choose_way(terminal: Terminal, outside: Outside, settings: Settings) -> Answers | None:
    """Return what the person chose, with all that it takes; None for nothing.

    Raises:
        NotSignedInError: the person gave up on the way.
        ClineError: the embedded model could not be installed.
    """
    guide = Guide(terminal, outside, settings)
    found = guide.find_servers()
    servers = [server for server in found if server.models]
    embedded = outside.find_embedded()
    items = [Item("a key", f"of a provider: {', '.join(FIRST_CHOICES)}, ...")]
    items += [Item(server.provider, describe_server(server)) for server in servers]
    notes = tell_empty(found)
    if embedded.problem is None:
        items.append(Item("local", embedded.about))
    else:
        notes.append(f"Or the embedded model, without a key: {embedded.problem.message}. {embedded.problem.hint}")
    terminal.tell(f"Nothing is set up yet. Who is to answer?\n\n{lay_out(items, terminal.columns)}\n")
    terminal.tell("".join(wrap(note, terminal.columns) for note in notes))
    while True:
        answer = terminal.ask("A number (Enter: nobody): ")
        if not answer:
            return None
        number = read_number(answer, len(items))
        if number is None:
            number = next((place for place, item in enumerate(items) if item.name == answer.lower()), None)
        if number == 0:
            return guide.complete(Asked())
        if number is not None and number <= len(servers):
            return guide.choose_server(servers[number - 1])
        if number is not None:
            return guide.choose_embedded(embedded)
        terminal.tell(f"One of 1 to {len(items)}, please.\n")
