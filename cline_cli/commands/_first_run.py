"""A run that finds nothing set up, and a person at the terminal: the set-up is offered, and then the run goes on.

Where nobody is there, nothing is looked for and no more is imported than this: a script is told at once.
"""

from __future__ import annotations

from cline_cli.app import Options
from cline_cli.commands._asked import Asked
from cline_cli.commands._streams import tell
from cline_cli.config.credentials import Recipient, Stores, look_for_key, open_stores
from cline_cli.config.paths import Paths
from cline_cli.config.settings import ProviderSettings, Settings, choose_provider
from cline_cli.environment import Environment
from cline_cli.errors import NotSignedInError
from cline_cli.providers import KEY_VARIABLES, PROVIDERS

DEFAULT_PROVIDER = "cline"


def set_up(asked: Asked, options: Options, settings: Settings, environment: Environment, paths: Paths) -> bool:
    """Let a person who has set up nothing choose who is to answer; return whether that is settled, and saved.

    Raises:
        NotSignedInError: no key was taken, or it could not be kept.
        ClineError: the settings could not be saved, or the model that was chosen not be installed.
    """
    stores = open_stores(paths, environment.home)
    if not may_offer(asked, environment) or not is_nothing_set_up(options, environment, settings, stores):
        return False
    from cline_cli.commands._dev_tty import DevTty, NoAnswerError  # lazy: 20 ms with the others, once in a life
    from cline_cli.commands._outside import RealOutside  # lazy: as above
    from cline_cli.commands._sign_in import Asked as AskedToSave  # lazy: as above
    from cline_cli.commands._sign_in import save  # lazy: as above
    from cline_cli.commands._three_ways import choose_way  # lazy: as above

    try:
        answers = choose_way(DevTty(), RealOutside(environment, paths, settings), settings)
    except NoAnswerError:
        return False
    if answers is None:
        return False
    outcome = save(answers, AskedToSave(), environment, paths.settings_file, stores)
    for notice in (*outcome.notices, outcome.sentence):
        tell(environment, notice)
    return True


def may_offer(asked: Asked, environment: Environment) -> bool:
    """Whether a person is there to choose: all three streams are the terminal's, and the run was asked for by hand.

    A stream that leads elsewhere belongs to another program, which may want the terminal for itself; and `-y`, JSON
    lines and silence are what scripts ask for.
    """
    manner = asked.manner
    is_by_hand = not (asked.is_dry or asked.options.auto_approve or manner.is_quiet or manner.is_for_programs)
    has_streams = environment.is_stdin_terminal and environment.is_stdout_terminal
    return is_by_hand and has_streams and environment.is_interactive


def is_nothing_set_up(options: Options, environment: Environment, settings: Settings, stores: Stores) -> bool:
    """Whether there is neither a provider nor a key, nor one that was and cannot be read."""
    if options.provider or choose_provider(None, environment.variables, settings, KEY_VARIABLES):
        return False
    if settings.of(DEFAULT_PROVIDER) != ProviderSettings():
        return False
    row = PROVIDERS[DEFAULT_PROVIDER]
    recipient = Recipient(DEFAULT_PROVIDER, row.key_variables, row.base_url, row.base_url)
    try:
        return look_for_key(recipient, environment.variables, settings, stores) is None
    except NotSignedInError:
        return False
