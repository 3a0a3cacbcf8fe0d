"""`make demo`: a model that runs on this machine answers a question, then mends a sample project.

The exit status is that of the sample's own tests, run at the end: what the model says of its work does not count. With
SAMPLE=folder another project is mended, with PROMPT="..." it is asked in other words, and with CHECK="..." its tests
are run by another command.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cline_cli.catalog.weights import AGENT_MEMORY_BYTES, choose_default, machine_memory

HERE = Path(__file__).resolve().parent
QUESTION = "Explain what a REST API is."
CHECK = "python -m pytest -q"


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def main() -> int:
    # The environment this runs in comes first on PATH: `cline` and the sample's `python` are its own.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # Neither Python nor pytest leaves caches behind, so that the difference shown is the model's work alone.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["PYTEST_ADDOPTS"] = "-p no:cacheprovider"
    memory = machine_memory()
    model = choose_default(memory).name

    say(f"1. The model {model}, once")
    if cline("local", "install", model):
        return 1

    say(f'2. cline -P local "{QUESTION}"')
    if cline("-P", "local", "-m", model, QUESTION):
        return 1
    if memory < AGENT_MEMORY_BYTES:
        gigabytes = memory / 1024**3
        say(f"This machine has {gigabytes:.1f} GB of memory: enough for answers, too little for work on files.")
        return 0
    return mend(model)


def mend(model: str) -> int:
    sample = Path(os.environ.get("SAMPLE") or HERE / "sample").resolve()
    prompt = os.environ.get("PROMPT") or (HERE / "prompt.txt").read_text("utf-8").strip()
    check = shlex.split(os.environ.get("CHECK") or CHECK)
    with tempfile.TemporaryDirectory(prefix="cline-demo-") as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        for copy in (before, after):
            shutil.copytree(sample, copy)

        say(f"3. The sample project, {sample.name}: {shlex.join(check)}")
        subprocess.run(check, cwd=after, check=False)

        say(f'4. cline -P local -y "{prompt}"')
        status = cline("-P", "local", "-m", model, "-y", "-t", "10m", prompt, cwd=after)
        if status:
            say(f"cline ended with exit code {status}")

        say("5. What it changed")
        subprocess.run(
            ["git", "--no-pager", "diff", "--no-index", "--no-prefix", "--stat", "--patch", "before", "after"],
            cwd=folder,
            check=False,
        )

        say(f"6. The sample's own verdict: {shlex.join(check)}")
        restore_tests(before, after)
        return subprocess.run(check, cwd=after, check=False).returncode


def restore_tests(before: Path, after: Path) -> None:
    """Put the tests back as they were: the verdict is theirs, whatever the model made of them."""
    for pattern in ("test_*", "*_test.*", "tests/**/*"):
        for original in before.rglob(pattern):
            copy = after / original.relative_to(before)
            if original.is_file() and (not copy.is_file() or copy.read_bytes() != original.read_bytes()):
                print(f"({original.name} was changed; the original is run)", flush=True)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(original, copy)


def cline(*arguments: str, cwd: Path | None = None) -> int:
    return subprocess.run(["cline", *arguments], cwd=cwd, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
