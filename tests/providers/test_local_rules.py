from __future__ import annotations

import pytest

from cline_cli.providers._local_action import Offer
from cline_cli.providers._local_history import Said, Step, Turn
from cline_cli.providers._local_rules import (
    CHECKS,
    MAX_ATTEMPTS,
    MAX_STEPS,
    Mend,
    Rerun,
    Restore,
    condense,
    decide,
    find_checks,
    find_paths,
    is_test,
)

ACTIONS = ("list_files", "read_file", "run_command", "write_file", "edit_file")
FIX = Said("user", "The tests fail. Fix them.\n\nWorking directory: /w\nIt holds: cart.py test_cart.py")
TESTS = Step("run_command", {"command": "make test"}, "test_cart.py:3: AssertionError\n(exit code 1)", is_error=True)
PASSED = Step("run_command", {"command": "make test"}, "OK", is_error=False)
READ = Step("read_file", {"path": "cart.py"}, "total = 1 + 2", is_error=False)
EDIT = Step("replace_in_file", {"path": "cart.py", "old": "1 + 2", "new": "1 * 2"}, "+1 -1", is_error=False)
ORIGINAL = "total = 1 + 2\n"


def offered(*turns: Turn, actions: tuple[str, ...] = ACTIONS) -> Offer:
    decision = decide(turns, actions, {})
    assert isinstance(decision, Offer)
    return decision


def test_the_check_comes_first_when_tests_are_said_to_fail() -> None:
    offer = offered(FIX)
    assert offer.actions == ("list_files", "read_file", "run_command")
    assert offer.commands == CHECKS
    assert not offer.may_answer


def test_everything_is_open_when_it_is_a_question() -> None:
    offer = offered(Said("user", "What is a linked list?"))
    assert offer == Offer(ACTIONS, ())


def test_a_new_file_may_be_written_first_when_it_is_to_be_run() -> None:
    offer = offered(Said("user", "Create hello.py and run it"))
    assert "write_file" in offer.actions
    assert offer.commands == ()


def test_an_answer_has_to_wait_when_a_change_was_not_run() -> None:
    wrote = Step("write_file", {"path": "hello.py", "content": "x\n"}, "created", is_error=False)
    ran = Step("run_command", {"command": "python3 hello.py"}, "hi", is_error=False)
    assert not offered(Said("user", "Create hello.py and run it"), wrote).may_answer
    assert offered(Said("user", "Create hello.py and run it"), wrote, ran).may_answer


def test_a_source_is_read_when_the_check_failed() -> None:
    assert offered(FIX, TESTS) == Offer(("read_file",), readable=("cart.py",), may_answer=False)


def test_tests_are_read_when_no_source_is_known() -> None:
    said = Said("user", "The tests fail. Fix them.")
    assert offered(said, TESTS).readable == ("test_cart.py",)


def test_the_module_under_test_is_known_when_the_test_was_read() -> None:
    read = Step(
        "read_file", {"path": "tests/test_a.py"}, "import os\nimport pytest\nfrom shop.cart import x", is_error=False
    )
    assert find_paths((read,)) == ("shop/cart.py",)


def test_paths_are_relative_when_the_working_directory_is_told() -> None:
    failed = Step("run_command", {"command": "x"}, 'File "/w/src/a.py", line 3\nFile "/usr/lib/b.py"', is_error=True)
    assert find_paths((Said("user", "x\n\nWorking directory: /w"), failed)) == ("src/a.py",)


def test_the_folder_is_listed_when_no_file_is_known() -> None:
    failed = Step("run_command", {"command": "make test"}, "failed\n(exit code 1)", is_error=True)
    assert offered(Said("user", "The tests fail. Fix them."), failed).actions == ("list_files",)


def test_a_candidate_is_tried_when_a_source_was_read() -> None:
    assert decide((FIX, TESTS, READ), ACTIONS, {}) == Mend("cart.py", ORIGINAL, ORIGINAL)


def test_the_same_check_is_made_again_when_the_source_was_changed() -> None:
    assert decide((FIX, TESTS, READ, EDIT), ACTIONS, {}) == Rerun("make test")


def test_the_next_candidate_starts_from_the_original_when_one_failed() -> None:
    assert decide((FIX, TESTS, READ, EDIT, TESTS), ACTIONS, {}) == Mend("cart.py", ORIGINAL, "total = 1 * 2\n")


def test_the_file_gets_its_text_back_when_no_candidate_is_left() -> None:
    decision = decide((FIX, TESTS, READ, EDIT, TESTS), ACTIONS, {"cart.py": ORIGINAL})
    assert decision == Restore("cart.py", ORIGINAL, "total = 1 * 2\n")


def test_the_model_may_answer_when_the_check_passed() -> None:
    assert offered(FIX, TESTS, READ, EDIT, PASSED).may_answer


def test_only_an_answer_is_left_when_too_much_was_tried() -> None:
    assert offered(FIX, *[READ] * MAX_STEPS) == Offer(())
    attempts = (EDIT, TESTS) * MAX_ATTEMPTS
    decision = decide((FIX, TESTS, READ, *attempts, Step("read_file", {"path": "cart.py"}, "", False)), ACTIONS, {})
    assert decision == Offer(()) or isinstance(decision, Restore)


def test_no_edit_is_forced_when_the_user_only_asks_for_the_result() -> None:
    offer = offered(Said("user", "Run the tests and tell me what fails"), TESTS)
    assert offer.may_answer


def test_nothing_is_mended_when_nothing_may_be_changed() -> None:
    offer = offered(FIX, TESTS, actions=("list_files", "read_file"))
    assert "edit_file" not in offer.actions


def test_tests_are_never_mended_when_they_were_read_last() -> None:
    read = Step("read_file", {"path": "test_cart.py"}, "from cart import total", is_error=False)
    assert decide((FIX, TESTS, READ, read), ACTIONS, {}) == Mend("cart.py", ORIGINAL, ORIGINAL)


def test_a_missing_test_runner_is_no_failed_check_when_it_cannot_run() -> None:
    for output in ("No module named pytest\n(exit code 1)", "sh: pytest: not found\n(exit code 127)", "Ran 0 tests"):
        failed = Step("run_command", {"command": "x"}, output, is_error=True)
        assert "run_command" in offered(FIX, failed).actions


def test_an_action_is_dropped_when_it_only_repeated_an_earlier_one() -> None:
    said = Said("user", "Show the files")
    listed = Step("list_files", {"path": "."}, "a.py", is_error=False)
    assert "list_files" in offered(said, listed).actions
    assert "list_files" not in offered(said, listed, listed).actions


def test_a_refused_command_is_no_failed_check_when_approval_was_denied() -> None:
    denied = Step("run_command", {"command": "make test"}, "error: not allowed without approval", is_error=True)
    assert "run_command" in offered(FIX, denied).actions


def test_only_an_answer_is_left_when_an_edit_was_refused() -> None:
    assert offered(FIX, TESTS, READ, EDIT._replace(is_error=True)) == Offer(())


def test_actions_stay_dropped_when_they_repeat_in_turns() -> None:
    listed = Step("list_files", {"path": "shop"}, "a.py", is_error=False)
    missed = Step("read_file", {"path": "b.py"}, "error: no file", is_error=True)
    offer = offered(Said("user", "Show the files"), listed, missed, listed, missed)
    assert offer.actions == ("run_command", "write_file", "edit_file")


def test_the_check_is_forced_when_the_model_only_looks() -> None:
    listed = tuple(Step("list_files", {"path": str(number)}, "a.py", is_error=False) for number in range(3))
    assert offered(FIX, *listed) == Offer(("run_command",), commands=CHECKS, may_answer=False)


def test_failed_attempts_are_left_out_when_the_model_is_shown_the_history() -> None:
    assert condense((FIX, TESTS, READ, EDIT, TESTS, EDIT, PASSED)) == (FIX, TESTS, READ, EDIT, PASSED)
    assert condense((FIX, TESTS, READ, EDIT, TESTS)) == (FIX, TESTS, READ)


@pytest.mark.parametrize(
    ("request_text", "commands"),
    [
        ("`python3 -m unittest -v` fails. Fix it", ("python3 -m unittest -v",)),
        ("pytest fails, fix the bug", ("pytest",)),
        ("A test fails. Fix it and run: python -m pytest -q", ("python -m pytest -q",)),
        ("make test fails", ("make test",)),
        ("go fix the tests", CHECKS),
        ("it crashes", ()),
    ],
)
def test_the_users_own_command_is_the_check_when_it_is_named(request_text: str, commands: tuple[str, ...]) -> None:
    assert find_checks(request_text) == commands


@pytest.mark.parametrize("path", ["test_a.py", "tests/a.py", "x/test_a.py", "a_test.go", "a.spec.ts", "conftest.py"])
def test_a_test_is_known_when_it_is_named_like_one(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize("path", ["latest.py", "contest/a.py", "src/testing_tools.py", "a.py"])
def test_a_source_is_no_test_when_its_name_only_sounds_so(path: str) -> None:
    assert not is_test(path)
