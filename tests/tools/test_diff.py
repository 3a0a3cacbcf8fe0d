from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.tools._diff import compare, to_lines


def test_a_change_is_shown_with_three_lines_around_it() -> None:
    before = "".join(f"{number}\n" for number in range(1, 21))
    diff = compare(before, before.replace("10\n", "ten\n"))
    assert diff.text == "@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13"
    assert (diff.added, diff.removed) == (1, 1)


def test_changes_share_a_hunk_only_when_they_are_near() -> None:
    before = "".join(f"{number}\n" for number in range(1, 31))
    near = compare(before, before.replace("10\n", "").replace("14\n", ""))
    far = compare(before, before.replace("10\n", "").replace("24\n", ""))
    assert near.text.count("@@ -") == 1
    assert far.text.count("@@ -") == 2
    assert (near.removed, near.added) == (2, 0)


def test_a_missing_last_line_break_is_shown() -> None:
    assert compare("a\nb", "a\nb\n").text == "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b"
    assert (compare("", "a").added, compare("", "a").removed) == (1, 0)
    assert (compare("a\n", "").added, compare("a\n", "").removed) == (0, 1)


def test_a_long_diff_is_cut_and_says_so() -> None:
    diff = compare("".join(f"{n}\n" for n in range(500)), "".join(f"x{n}\n" for n in range(500)), max_lines=10)
    lines = diff.text.split("\n")
    assert len(lines) == 11
    assert lines[-1] == "[... 991 more lines of this diff]"
    assert (diff.added, diff.removed) == (500, 500)


def test_a_long_line_is_cut() -> None:
    assert len(compare("a" * 5_000, "b" * 5_000).text) < 1_200


def test_large_texts_are_compared_in_bounded_time() -> None:
    before = "".join(f"{number}\n" for number in range(100_000))
    diff = compare(before, "".join(f"{number}\n" for number in reversed(range(100_000))))
    assert diff.added == diff.removed
    assert compare(before, before + "x\n").added == 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d"])), st.lists(st.sampled_from(["a\n", "b\n", "c\n", "e"])))
def test_the_real_patch_program_makes_the_one_text_of_the_other(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str]
) -> None:
    before, after = "".join(old), "".join(new)
    if before == after:
        assert compare(before, after).text == ""
        return
    folder = Path(tmp_path_factory.mktemp("patch"))
    (folder / "file").write_text(before)
    diff = compare(before, after, max_lines=1_000)
    hunks = diff.text.replace("@@ -1,0 ", "@@ -0,0 ").replace(" +1,0 @@", " +0,0 @@")
    (folder / "diff").write_text(f"--- a/file\n+++ b/file\n{hunks}\n")
    subprocess.run(["git", "apply", "--unsafe-paths", "diff"], cwd=folder, check=True)
    assert (folder / "file").read_text() == after if after else not (folder / "file").read_text()
    assert len(to_lines(after)) - len(to_lines(before)) == diff.added - diff.removed
