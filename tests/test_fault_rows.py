"""Every fault that is to be survived has its tests; here they are found by the fault."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS: Mapping[str, tuple[str, ...]] = {
    "connection refused, no such host": (
        "providers/test_remote.py::test_three_tries_are_made_when_there_is_no_connection",
        "network/test_http.py::test_host_is_named_when_it_does_not_exist",
        "e2e/test_run.py::test_an_unreachable_server_is_named",
    ),
    "RST or FIN after any byte": (
        "providers/test_faults.py::test_every_call_runs_once_and_no_text_is_doubled_when_a_reply_breaks_off_at_any_byte",
        "providers/test_faults.py::test_no_call_runs_and_the_run_fails_when_no_reply_is_ever_whole",
        "e2e/test_network_faults.py::test_a_command_runs_once_and_the_answer_stands_once_when_its_reply_broke_off",
        "e2e/test_network_faults.py::test_the_run_fails_and_no_command_ran_when_every_reply_breaks_off",
        "e2e/test_network_faults.py::test_text_that_streamed_is_not_printed_again_when_its_reply_broke_off",
        "frontends/test_text.py::test_an_answer_is_printed_once_when_it_broke_off_at_any_place_and_came_again",
    ),
    "end without [DONE]": (
        "providers/test_remote.py::test_message_comes_when_the_connection_breaks_after_its_finish",
        "providers/test_openai_chat_reply.py::test_no_reply_counts_when_it_breaks_off_before_its_finish",
    ),
    "error in the middle of a stream": (
        "providers/test_openai_chat_reply.py::test_error_is_given_out_when_the_server_sends_one",
        "providers/test_openai_chat_reply.py::test_error_is_given_out_when_it_is_all_there_is",
        "providers/test_openai_chat.py::test_request_is_made_again_when_an_error_in_the_stream_may_pass",
        "providers/test_openai_chat.py::test_words_of_the_server_are_told_when_an_error_in_the_stream_is_final",
        "providers/test_anthropic.py::test_request_is_made_again_when_an_error_in_the_stream_may_pass",
    ),
    "429 with Retry-After": (
        "network/test_retry.py::test_asked_delay_is_read_when_it_makes_sense",
        "network/test_retry.py::test_milliseconds_come_first_when_they_are_given_too",
        "providers/test_remote.py::test_server_is_obeyed_when_it_says_how_long_to_wait",
        "providers/test_remote.py::test_wait_ends_when_the_run_is_cancelled",
        "frontends/console/test_activity.py::test_a_pause_is_counted_down_when_its_length_is_known",
        "e2e/test_network_faults.py::test_a_wait_that_is_too_long_ends_the_run_and_says_until_when",
        "e2e/test_stopping.py::test_a_signal_ends_a_run_in_a_retry_pause",
    ),
    "408, 409, 5xx, 529": (
        "providers/test_remote.py::test_request_is_made_again_when_a_status_says_that_it_may_help",
        "network/test_retry.py::test_delay_doubles_up_to_four_tries_when_the_server_fails",
        "network/test_retry.py::test_delay_is_shortened_by_a_quarter_at_most_when_there_is_jitter",
        "providers/test_complaints.py::test_complaint_is_one_clean_line_when_bodies_are_random",
    ),
    "400, 401, 402, 403, 404, 413, 422": (
        "providers/test_remote.py::test_exactly_one_request_is_made_when_another_would_not_help",
        "providers/test_complaints.py::test_remedy_is_told_when_there_is_one",
        "e2e/test_context.py::test_a_run_goes_on_when_the_provider_says_that_the_conversation_is_too_long",
    ),
    "byte by byte for ever, silence": (
        "e2e/test_network_faults.py::test_the_run_ends_when_a_server_stays_silent_or_never_gets_on",
        "network/test_http.py::test_request_ends_when_its_answer_comes_for_ever",
        "e2e/test_stopping.py::test_a_signal_ends_a_run_that_waits_for_the_model",
    ),
    "compression, chunks, and every form of an event": (
        "network/test_decoding.py::test_body_comes_out_when_it_is_cut_anywhere",
        "network/test_sse.py::test_events_are_the_same_when_every_byte_comes_alone",
        "network/test_sse.py::test_events_are_the_same_when_the_stream_is_cut_in_two",
        "network/test_sse.py::test_events_are_those_of_the_standard_when_streams_are_random",
    ),
    "64 MB in a line, a line without end, a stream without end": (
        "e2e/test_network_faults.py::test_memory_is_bounded_and_the_run_fails_in_one_line_when_a_server_floods_it",
        "network/test_sse.py::test_decoder_gives_up_when_an_event_is_too_large",
    ),
    "bytes that are no UTF-8": (
        "network/test_sse.py::test_cuts_change_nothing_when_streams_are_random",
        "providers/test_openai_chat_reply.py::test_text_can_be_encoded_when_it_holds_half_a_surrogate_pair",
    ),
    "an event that is no JSON": (
        "providers/test_openai_chat_reply.py::test_reply_is_void_when_an_event_is_damaged",
        "providers/test_remote.py::test_reply_is_asked_for_again_when_an_event_is_damaged",
    ),
    "calls in every odd form": (
        "providers/test_openai_chat_reply.py::test_calls_are_assembled_when_fragments_vary",
        "providers/test_openai_chat_reply.py::test_arguments_are_empty_when_they_are_null",
        "providers/test_openai_chat_reply.py::test_calls_are_the_same_when_their_arguments_are_cut_anywhere",
        "providers/test_openai_chat_reply.py::test_every_call_is_read_once_when_there_are_many",
        "providers/test_openai_chat_reply.py::test_ids_are_made_up_when_the_history_holds_them_already",
    ),
    "arguments that are no JSON": (
        "agent/test_loop.py::test_a_call_is_not_run_when_its_arguments_are_not_a_json_object",
        "agent/test_loop.py::test_the_run_stops_when_every_call_of_many_turns_failed",
    ),
    "unknown tool": ("agent/test_loop.py::test_the_model_is_told_which_tools_there_are_when_it_calls_an_unknown_one",),
    "never stops, the same call for ever": (
        "agent/test_loop.py::test_the_model_is_told_and_then_stopped_when_it_repeats_a_call",
        "agent/test_loop.py::test_the_model_gets_one_last_request_without_tools_when_its_turns_are_used_up",
        "e2e/test_run.py::test_a_yolo_run_ends_after_200_turns",
        "e2e/test_stopping.py::test_a_deadline_ends_a_run",
    ),
    "empty, cut or filtered completion": (
        "agent/test_loop.py::test_the_run_fails_when_every_reply_is_empty",
        "agent/test_loop.py::test_a_run_fails_when_its_answer_is_cut_for_good",
        "agent/test_loop.py::test_the_run_fails_when_the_content_filter_stopped_the_answer",
    ),
    "proxy, certificate, redirect": (
        "network/test_http.py::test_proxy_is_used_when_the_environment_names_one",
        "network/test_http.py::test_remedy_is_named_when_a_certificate_is_not_trusted",
        "network/test_http.py::test_redirect_is_not_followed_when_a_server_asks_for_it",
        "network/test_trust.py::test_no_line_of_the_source_turns_verification_off",
    ),
    "the key is nowhere": (
        "e2e/test_canary.py::test_no_key_is_told_or_kept_when_a_server_or_a_command_gives_it_back",
        "e2e/test_canary.py::test_no_key_is_told_or_kept_when_the_wire_format_is_another",
    ),
    "a command hangs, ignores SIGTERM, leaves its session": (
        "machine/test_process_endings.py::test_output_until_then_is_kept_when_the_time_is_up",
        "machine/test_process_endings.py::test_children_with_and_without_sessions_are_ended_when_the_time_is_up",
        "machine/test_process_endings.py::test_a_command_is_killed_when_it_ignores_the_request_to_end",
        "machine/test_sandbox.py::test_a_command_behaves_as_without_a_sandbox",
    ),
    "a daemon holds the pipe": (
        "machine/test_process_endings.py::test_a_background_process_lives_on_until_leftovers_are_ended",
        "machine/test_process_endings.py::test_a_background_process_may_go_on_printing_when_its_command_has_returned",
        "machine/test_sandbox.py::test_a_later_command_may_end_what_an_earlier_one_left",
        "e2e/test_stopping.py::test_what_a_command_left_running_ends_with_the_run",
    ),
    "gigabytes of output": (
        "machine/test_process.py::test_memory_stays_flat_when_a_command_prints_half_a_gigabyte",
        "machine/test_process.py::test_beginning_and_end_are_kept_when_there_is_too_much_output",
    ),
    "a command reads, wants a terminal, a pager, an editor": (
        "machine/test_process.py::test_reading_ends_at_once_when_a_command_reads_stdin",
        "machine/test_process.py::test_no_terminal_can_be_opened_by_a_command",
        "tools/test_run_commands.py::test_nothing_waits_for_a_person",
    ),
    "kill -9 $PPID, kill -9 -1, a fork storm": (
        "machine/test_sandbox.py::test_a_command_that_turns_on_its_sandbox_does_not_end_the_run",
        "machine/test_sandbox.py::test_processes_that_multiply_are_ended_and_the_run_goes_on",
        "e2e/test_sandbox.py::test_a_command_that_kills_does_not_end_the_run",
        "e2e/test_robustness.py::test_the_session_goes_on_when_a_command_killed_the_run",
    ),
    "the run is killed while a command runs": (
        "machine/test_sandbox.py::test_all_ends_with_the_process_that_opened_it",
    ),
    "control sequences in output": (
        "tools/test_run_commands.py::test_control_sequences_and_progress_lines_are_cleaned",
    ),
    "odd exits, long commands": (
        "tools/test_run_commands.py::test_it_is_said_how_a_command_ended",
        "tools/test_run_commands.py::test_a_command_longer_than_an_argument_may_be_is_run",
        "tools/test_run_commands.py::test_it_is_said_when_the_workspace_is_gone",
    ),
    "keys in the environment of commands": (
        "e2e/test_run.py::test_commands_do_not_see_the_keys",
        "machine/test_guard.py::test_memory_and_core_are_closed_when_the_process_is_guarded",
    ),
    "links, .., absolute paths": (
        "machine/test_files.py::test_nothing_outside_is_touched_when_links_are_put_in_the_way",
        "machine/test_files.py::test_no_link_is_followed_when_one_has_appeared_in_the_path",
        "workspace/test_checkpoint.py::test_a_folder_that_became_a_link_does_not_lead_out",
    ),
    "a file changes between reading and writing": (
        "machine/test_files.py::test_the_users_version_stays_when_a_file_was_changed_meanwhile",
        "tools/test_apply_patch.py::test_a_file_that_was_changed_meanwhile_is_not_overwritten",
    ),
    "line ends, encodings": (
        "tools/test_apply_patch.py::test_bytes_outside_the_change_stay_in_200_generated_files",
        "tools/test_apply_patch.py::test_lines_keep_their_bytes_and_new_ones_end_as_those_beside",
    ),
    "killed while it writes": (
        "machine/test_files.py::test_a_file_is_old_or_new_when_its_writer_is_killed_at_any_moment",
    ),
    "the disk is full in the middle of a patch": (
        "tools/test_apply_patch.py::test_files_that_were_written_are_put_back_when_a_later_one_cannot_be",
        "machine/test_files.py::test_nothing_changes_when_a_write_fails",
    ),
    "pipes, devices, huge files": (
        "machine/test_files.py::test_opening_does_not_wait_when_it_is_no_ordinary_file",
        "tools/test_read_files.py::test_little_is_read_when_a_file_is_huge",
    ),
    "a sandbox is told of and not there, or taken away": (
        "machine/test_sandbox.py::test_what_is_told_is_what_commands_find",
        "machine/test_sandbox.py::test_each_level_that_is_taken_away_is_told_and_the_next_one_taken",
        "machine/test_sandbox.py::test_without_any_level_a_run_goes_on_unless_it_must_not",
        "e2e/test_sandbox.py::test_what_a_run_tells_is_what_its_commands_find",
        "e2e/test_sandbox.py::test_a_refused_write_is_explained_to_the_model",
    ),
    "a project brings hooks, addresses, policy": (
        "e2e/test_changes.py::test_a_project_brings_nothing_into_force_before_it_is_trusted",
        "config/test_trust.py::test_whatever_changes_has_to_be_trusted_again",
    ),
}


@cache
def names_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS)
def test_every_test_of_a_fault_is_there(row: str) -> None:
    named = [name.partition("::") for name in ROWS[row]]
    assert [name for file, _, name in named if name not in names_in(TESTS / file)] == []
