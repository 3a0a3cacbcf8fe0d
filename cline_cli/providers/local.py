"""The embedded model: a small real one in a child process, without a key and without a network.

    history -> _local_history -> _local_rules: what may come next -> _local_prompt, _local_action -> child -> deltas
                                               └ mending a check  -> _local_search, _local_edit ─────┘

It is shown few flat actions instead of our tools; what it chooses comes out as calls under names that the tools
understand: list_files, read_file, run_command, write_file, replace_in_file.
"""

from __future__ import annotations

import difflib
import json
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import cast

from cline_cli.agent.messages import AssistantMessage, JsonObject, StopReason, TextPart, ToolCall, Usage
from cline_cli.agent.provider import Delta, Request, TextDelta, Waiting
from cline_cli.catalog.runtime import describe_missing, is_installed, read_host
from cline_cli.catalog.weights import AGENT_MEMORY_BYTES, WEIGHTS, Weights, find_installed, machine_memory
from cline_cli.config.paths import Paths
from cline_cli.errors import ProviderError, UnknownModelError
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._local_action import Action, ActionReader, Offer, to_grammar
from cline_cli.providers._local_edit import to_replacement
from cline_cli.providers._local_history import Said, Step, Turn, find_texts, read_history, steps_of
from cline_cli.providers._local_process import Child, start_child
from cline_cli.providers._local_prompt import (
    ANSWER,
    choose_actions,
    open_reply,
    render_prefix,
    render_rewrite,
    render_turns,
)
from cline_cli.providers._local_rules import Mend, Rerun, Restore, condense, decide, find_check
from cline_cli.providers._local_search import Search
from cline_cli.providers._local_state import PrefixState

CONTEXT_TOKENS = 8192
MAX_OUTPUT_TOKENS = 1500
_MAX_THREADS = 16
_CHILD = (sys.executable, "-P", str(Path(__file__).with_name("_local_child.py")))
"""Not `-I`: that would hide a runtime installed for the user alone."""


def connect(endpoint: Endpoint, network: Network, paths: Paths) -> Local:  # noqa: ARG001  # as every provider
    """Return the provider; the model is loaded with the first request."""
    return Local(paths)


class Local:
    """One model in one child process, for one run."""

    def __init__(
        self,
        paths: Paths,
        *,
        argv: Sequence[str] = _CHILD,
        memory_bytes: int | None = None,
        variables: Mapping[str, str] = os.environ,
        find: Callable[[str], Path | None] | None = None,
        has_runtime: Callable[[], bool] = is_installed,
    ) -> None:
        self._paths = paths
        self._argv = argv
        self._memory_bytes = machine_memory() if memory_bytes is None else memory_bytes
        self._variables = variables
        self._find_file = find or partial(find_installed, paths)
        self._has_runtime = has_runtime
        self._child: Child | None = None
        self._model = ""
        self._searches: dict[tuple[str, str], Search] = {}
        self._spent: dict[str, str] = {}
        """Path -> text for which there are no more candidates."""
        self._usage = Usage()

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Yield one reply: an answer as it grows, or one call.

        Raises:
            ProviderError: the model is not installed, cannot be loaded, ended, or was asked too much.
        """
        weights, file = self._find(request.model)
        self._usage = Usage(cost_usd=0.0)
        is_able = self._memory_bytes >= AGENT_MEMORY_BYTES
        actions = choose_actions([tool.name for tool in request.tools]) if is_able and request.may_call else ()
        prefix = render_prefix(request.system, actions)
        if self._child is None or self._model != request.model:
            note = "" if is_able or not request.tools else "; with so little memory it answers without tools"
            yield Waiting(0, f"loading {request.model}{note}")
            await self.close()
            self._model = request.model
            self._child = await self._start(weights, file)
            await self._child.wait_ready()
            if actions:
                state = PrefixState(self._paths.cache / "local", weights.sha256, self._child.version, prefix)
                if not await state.restore(self._child):
                    yield Waiting(0, f"{request.model} reads its instructions, this first time")
                    await state.make(self._child)
        turns = read_history(request.messages)
        if not actions:
            plain = f"{prefix}{render_turns(turns)}{open_reply()}"
            async with aclosing(self._answer(plain, request)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        async with aclosing(self._act(turns, prefix, actions, request)) as deltas:
            async for delta in deltas:
                yield delta

    def measure(self, request: Request) -> int:
        """Return the size of the prompt that the model would read, in bytes; none of them leaves the machine."""
        prefix = render_prefix(request.system, choose_actions([tool.name for tool in request.tools]))
        return len(f"{prefix}{render_turns(read_history(request.messages))}{open_reply()}".encode())

    async def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child:
            await child.close()

    def _find(self, model: str) -> tuple[Weights, Path]:
        weights = WEIGHTS.get(model)
        if weights is None:
            near = ", ".join(difflib.get_close_matches(model, WEIGHTS, 3, cutoff=0) or WEIGHTS)
            raise UnknownModelError(f"there is no embedded model {model}", f"There is: {near}")
        if not self._has_runtime():
            raise ProviderError(*describe_missing(read_host()))
        file = self._find_file(model)
        if file is None:
            size = f"{weights.size_bytes / 1e9:.1f} GB"
            raise UnknownModelError(f"{model} is not installed", f"Run: cline local install {model} ({size})")
        return weights, file

    async def _start(self, weights: Weights, file: Path) -> Child:
        settings: JsonObject = {
            "model": str(file),
            "threads": _count_threads(),
            "context": CONTEXT_TOKENS,
            "key": secrets.token_hex(16),
        }
        return await start_child(self._argv, settings, self._variables, weights.memory_bytes)

    async def _ask(self, request: JsonObject) -> AsyncGenerator[JsonObject, None]:
        """Send a request to the child and count what it took."""
        if self._child is None:
            raise ProviderError("the local model has ended")
        async with aclosing(self._child.request(request)) as events:
            async for event in events:
                if "end" in event:
                    taken, cached, made = (cast("int", event.get(name, 0)) for name in ("input", "cached", "output"))
                    self._usage += Usage(taken, made, cached, cost_usd=0.0)
                yield event

    async def _answer(self, prompt: str, request: Request) -> AsyncGenerator[Delta, None]:
        """Yield a reply in plain conversation."""
        texts: list[str] = []
        is_cut = False
        body: JsonObject = {"prompt": prompt, "max_tokens": _limit(request), "is_prose": True}
        async with aclosing(self._ask(body)) as events:
            async for event in events:
                text = str(event.get("text", ""))
                if text:
                    texts.append(text)
                    yield TextDelta(text)
                is_cut = event.get("end") == "length"
        yield self._finish(TextPart("".join(texts)), is_cut=is_cut)

    async def _act(
        self, turns: Sequence[Turn], prefix: str, actions: Sequence[str], request: Request
    ) -> AsyncGenerator[Delta, None]:
        """Yield the next action: what the course of mending demands, else what the model chooses."""
        shown = condense(turns)
        while True:
            decision = decide(turns, actions, self._spent)
            if isinstance(decision, Rerun):
                yield self._call("run_command", {"command": decision.command})
                return
            if isinstance(decision, Restore):
                yield self._replace(decision.path, decision.present, decision.original)
                return
            if isinstance(decision, Mend):
                check = find_check(steps_of(turns))
                context = _narrow(turns, check, decision.path, decision.original)
                wanted = await self._search(decision.path, decision.original, context)
                if wanted is not None:
                    yield self._replace(decision.path, decision.present, wanted)
                    return
                continue
            prompt = f"{prefix}{render_turns(shown, has_actions=True)}{open_reply()}"
            action: Action | None = None
            async with aclosing(self._choose(prompt, decision, request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Action):
                        action = piece
                    else:
                        yield piece
            if action is None:
                return
            if action.name == "edit_file":
                path, text = action.arguments["path"], find_texts(turns)[action.arguments["path"]]
                wanted = await self._search(path, text, _narrow(turns, None, path, text))
                if wanted is None:
                    actions = tuple(name for name in actions if name != "edit_file")
                    continue
                yield self._replace(path, text, wanted)
                return
            yield self._call(action.name, action.arguments)
            return

    async def _choose(
        self, prompt: str, offer: Offer, request: Request
    ) -> AsyncGenerator[TextDelta | AssistantMessage | Action, None]:
        """Yield the answer as it grows and its message, or the action that was chosen."""
        reader = ActionReader()
        is_cut = False
        body: JsonObject = {"prompt": prompt, "max_tokens": _limit(request), "grammar": to_grammar(offer)}
        async with aclosing(self._ask(body)) as events:
            async for event in events:
                new = reader.feed(str(event.get("text", "")))
                if new:
                    yield TextDelta(new)
                is_cut = event.get("end") == "length"
                if reader.is_whole():
                    break
        action = reader.finish()
        if action.name == ANSWER:
            yield self._finish(TextPart(action.arguments["text"]), is_cut=is_cut)
        else:
            yield action

    async def _search(self, path: str, original: str, context: Sequence[Turn]) -> str | None:
        """Return the next candidate for a text, or None when there is none left."""
        search = self._searches.setdefault((path, original), Search(path, original, render_rewrite(context, path)))
        found = await search.find_next(self._ask)
        if found is None:
            self._spent[path] = original
        return found

    def _replace(self, path: str, present: str, wanted: str) -> AssistantMessage:
        replacement = to_replacement(present, wanted)
        return self._call("replace_in_file", {"path": path, "old": replacement.old, "new": replacement.new})

    def _call(self, name: str, arguments: Mapping[str, str]) -> AssistantMessage:
        text = json.dumps(arguments, ensure_ascii=False)
        return self._finish(ToolCall(f"call_{secrets.token_hex(6)}", name, text))

    def _finish(self, part: TextPart | ToolCall, *, is_cut: bool = False) -> AssistantMessage:
        reason: StopReason = "tool_calls" if isinstance(part, ToolCall) else "length" if is_cut else "stop"
        return AssistantMessage((part,), reason, self._usage, self._model)


def _limit(request: Request) -> int:
    return min(request.max_tokens or MAX_OUTPUT_TOKENS, MAX_OUTPUT_TOKENS)


def _narrow(turns: Sequence[Turn], check: Step | None, path: str, text: str) -> tuple[Turn, ...]:
    """Return what matters for mending a file: the request, the check that fails, and the file."""
    said = tuple(turn for turn in turns if isinstance(turn, Said) and turn.role == "user")[-1:]
    failed = (check,) if check else ()
    return (*said, *failed, Step("read_file", {"path": path}, text.rstrip("\n"), is_error=False))


def _count_threads() -> int:
    """Return how many threads compute: every core that is ours on a small machine, half on one that shares them."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 2
    return max(1, min(count if count <= 4 else count // 2, _MAX_THREADS))
