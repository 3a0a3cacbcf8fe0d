"""Starts the commands of a run from within its sandbox. A program of its own: the standard library and nothing of ours.

    python -I -S launcher.py FD

FD is a socket to the run. Each message is a line of JSON, some with open files beside them:

    run -> launcher   confine {write, network, scope}     once, first: Landlock and seccomp, if they are wanted
                      guard {}                             signals reach only what comes from here
                      probe {outside, protected, pid, port}
                      run {id, argv, cwd, env, descriptors} + stdin, stdout, stderr and those descriptors
                      release {id}                         the command's number may be used again
                      leave {}                             what was started lives on when the socket closes
    launcher -> run   ready + a pidfd of the launcher
                      confined {error, abi} · probed {write, protected, signal, network}
                      started {id} + a pidfd, or failed {id, errno, filename} · exited {id, status}

All commands of a run share one sandbox, so that one may end what another left running. It ends with the run: when the
socket closes, everything that came from here is killed. Rights, system calls and their numbers are the kernel's, from
<linux/landlock.h> and <linux/seccomp.h>, 6.12.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
VERSION_FLAG = 1
WRITE_FILE, TRUNCATE, REFER = 1 << 1, 1 << 14, 1 << 13
CHANGING = WRITE_FILE | sum(1 << bit for bit in range(4, 13)) | REFER | TRUNCATE
ABI_RIGHTS = {1: CHANGING & ~REFER & ~TRUNCATE, 2: CHANGING & ~TRUNCATE}
"""What older kernels know of; from 3 on it is all of CHANGING."""
SCOPE_ABI = 6
SCOPE_SIGNAL = 1 << 1
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE = 38, 22, 36, 4
SECCOMP_MODE_FILTER = 2
SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Machine -> what seccomp calls it, and the number of socket(2) there."""
IO_URING_SETUP = 425
X32 = 0x40000000
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
STORM_PROCESSES = 2_500
"""More than there were at first: somebody's commands multiply. One signal to all that it reaches outruns them."""
WATCH_MS = 200
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MAX_BYTES, MAX_FILES, KILL_ROUNDS = 4 * 1024 * 1024, 64, 50

Json = dict[str, object]
libc = ctypes.CDLL(None, use_errno=True)


class Launcher:
    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.buffer = b""
        self.files: list[int] = []
        self.running: dict[int, int] = {}
        """Number of a process -> id of the command."""
        self.usual = count_processes()
        self.leaves = False
        self.is_guarding = False
        """Whether killing everything that can be reached kills nothing that did not come from here."""
        self.told: set[int] = set()
        """Of those, the ones that are known to have ended."""

    def serve(self) -> None:
        """Do what is asked for until the socket closes; then leave nothing behind."""
        wake, waker = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.send({"op": "ready"}, os.pidfd_open(os.getpid()))
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while True:
            if self.is_guarding and count_processes() > self.usual + STORM_PROCESSES:
                kill_reachable()
            for descriptor, _ in poll.poll(WATCH_MS if self.is_guarding else None):
                if descriptor == wake:
                    os.read(wake, 4096)
                    self.reap()
                elif not self.receive():
                    return

    def receive(self) -> bool:
        """Take what has come; False at the end."""
        data, ancillary, _, _ = self.socket.recvmsg(
            MAX_BYTES, socket.CMSG_SPACE(MAX_FILES * array.array("i").itemsize), socket.MSG_CMSG_CLOEXEC
        )
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found = array.array("i")
                found.frombytes(payload[: len(payload) - len(payload) % found.itemsize])
                self.files.extend(found)
        if not data:
            return False
        self.buffer += data
        while b"\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\n", 1)
            self.answer(json.loads(line.decode("utf-8", "surrogatepass")))
        return True

    def answer(self, message: Json) -> None:
        operation = message["op"]
        if operation == "confine":
            self.send({"op": "confined", **confine(message)})
        elif operation in {"guard", "leave"}:
            self.is_guarding, self.leaves = operation == "guard", operation == "leave"
        elif operation == "probe":
            self.send({"op": "probed", **probe_in_child(message)})
        elif operation == "run":
            self.run(message)
        elif operation == "release":
            for pid in [pid for pid, number in self.running.items() if number == message["id"]]:
                wait_for(pid)
                del self.running[pid]
                self.told.discard(pid)

    def run(self, message: Json) -> None:
        numbers: list[int] = message["descriptors"]  # type: ignore[assignment]
        count = 3 + len(numbers)
        files, self.files = self.files[:count], self.files[count:]
        report, reporter = os.pipe()
        pid = os.fork()
        if pid == 0:
            start(message, files, numbers, reporter)
        os.close(reporter)
        for file in files:
            os.close(file)
        failure = os.read(report, 8192)
        os.close(report)
        if failure:
            os.waitpid(pid, 0)
            self.send({"op": "failed", "id": message["id"], **json.loads(failure)})
            return
        self.running[pid] = message["id"]  # type: ignore[assignment]
        self.send({"op": "started", "id": message["id"]}, os.pidfd_open(pid))

    def reap(self) -> None:
        """Tell which commands have ended, and wait for the dead that are none: they lost their parents."""
        for pid, number in list(self.running.items()):
            if pid not in self.told:
                ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended:
                    self.told.add(pid)
                    is_exit = ended.si_code == os.CLD_EXITED
                    self.send({"op": "exited", "id": number, "status": ended.si_status * (1 if is_exit else -1)})
        for pid in read_children():
            if pid not in self.running:
                wait_for(pid)

    def send(self, message: Json, *files: int) -> None:
        data = json.dumps(message).encode() + b"\n"
        with contextlib.suppress(OSError):
            if files:
                socket.send_fds(self.socket, [data], files)
            else:
                self.socket.sendall(data)
        for file in files:
            os.close(file)


def wait_for(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def start(message: Json, files: list[int], numbers: list[int], reporter: int) -> None:
    """Become the command. Never returns."""
    try:
        os.setsid()
        # High up, so that none of them is in the way of the numbers they are to have.
        base = max([100, *numbers]) + 1
        copies = []
        for place, file in enumerate(files):
            os.dup2(file, base + place, inheritable=False)
            copies.append(base + place)
        for copy, number in zip(copies, (0, 1, 2, *numbers)):
            os.dup2(copy, number, inheritable=True)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, *ENDING):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir(message["cwd"])  # type: ignore[arg-type]
        argv: list[str] = message["argv"]  # type: ignore[assignment]
        os.execvpe(argv[0], argv, message["env"])  # type: ignore[arg-type]
    except OSError as error:
        filename = error.filename if isinstance(error.filename, str) else ""
        os.write(reporter, json.dumps({"errno": error.errno, "filename": filename}).encode())
    except ValueError:
        os.write(reporter, json.dumps({"errno": errno.EINVAL, "filename": ""}).encode())
    finally:
        os._exit(127)


def confine(message: Json) -> Json:
    """Give up what is not wanted, for this process and all that it starts; say what went wrong, if anything."""
    try:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        abi = 0
        if message["write"] is not None or message["scope"]:
            abi = restrict(message["write"], has_scope=bool(message["scope"]))  # type: ignore[arg-type]
        if not message["network"]:
            filter_sockets()
    except OSError as error:
        return {"error": f"{error.strerror}", "abi": 0}
    return {"error": "", "abi": abi}


def restrict(places: list[str] | None, *, has_scope: bool) -> int:
    """Allow writing in these places only, and signals to what comes from here only. Return the version of Landlock.

    Raises:
        OSError: the kernel does not do it.
    """
    abi = check(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG)))
    handled = 0 if places is None else ABI_RIGHTS.get(abi, CHANGING)
    scoped = SCOPE_SIGNAL if has_scope and abi >= SCOPE_ABI else 0
    if not handled and not scoped:
        raise OSError(errno.ENOSYS, "this kernel's Landlock confines no signals")
    attributes = struct.pack("=QQQ", handled, 0, scoped)[: 24 if abi >= SCOPE_ABI else 16 if abi >= 4 else 8]
    ruleset = check(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)))
    for place in places or ():
        try:
            descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # it is not there
        allowed = handled if os.path.isdir(place) else handled & (WRITE_FILE | TRUNCATE)
        rule = struct.pack("=Qi", allowed, descriptor)
        check(libc.syscall(ADD_RULE, ruleset, ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint32(0)))
        os.close(descriptor)
    check(libc.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint32(0)))
    os.close(ruleset)
    return abi


def filter_sockets() -> None:
    """Refuse every socket but those of this machine, and io_uring, which could make them otherwise.

    Raises:
        OSError: the kernel does not do it, or this kind of machine is not known.
    """
    machine = os.uname().machine
    if machine not in SOCKET_CALLS:
        raise OSError(errno.ENOSYS, f"no filter is known for {machine}")
    architecture, number = SOCKET_CALLS[machine]
    refuse = REFUSE | errno.EPERM
    # (code, jump if true, jump if false, value); the jumps count from the next line
    lines = (
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 0, 8, architecture),  # another: refuse
        (0x20, 0, 0, 0),  # load the number of the call
        (0x35, 6, 0, X32),  # of the other interface of x86: refuse
        (0x15, 5, 0, IO_URING_SETUP),  # refuse
        (0x15, 0, 3, number),  # no socket: allow
        (0x20, 0, 0, 16),  # load its family
        (0x15, 1, 0, socket.AF_UNIX),  # allow
        (0x15, 0, 1, 16),  # AF_NETLINK: allow; another: refuse
        (0x06, 0, 0, ALLOW),
        (0x06, 0, 0, refuse),
    )
    program = b"".join(struct.pack("=HBBI", *line) for line in lines)
    buffer = ctypes.create_string_buffer(program)
    # The address as a pointer: an int would be cut to 32 bits.
    header = struct.pack("@HxxxxxxP", len(lines), ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(header)
    address = ctypes.c_void_p(ctypes.addressof(holder))
    check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address, 0, 0))


def check(result: int) -> int:
    """Raises OSError."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def probe_in_child(message: Json) -> Json:
    """Try in a child what commands must not be able to do; return for each whether it was prevented."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.write(writer, json.dumps(probe(message)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        found: Json = json.loads(answer.read() or b"{}")
    return found


def probe(message: Json) -> Json:
    folders = {name: str(message[name]) for name in ("outside", "protected") if message[name]}
    found: Json = {name: is_prevented(lambda at=at: make_and_remove(at)) for name, at in folders.items()}
    found["signal"] = is_prevented(lambda: os.kill(int(str(message["pid"])), 0))
    if message["port"]:
        found["network"] = is_prevented(lambda: connect(int(str(message["port"]))))
    return found


def is_prevented(action: object) -> bool:
    with contextlib.suppress(OSError):
        action()  # type: ignore[operator]
        return False
    return True


def make_and_remove(folder: str) -> None:
    path = os.path.join(folder, f".cline-probe-{os.getpid()}-{time.time_ns()}")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    os.unlink(path)


def connect(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(("127.0.0.1", port))


def read_children() -> list[int]:
    """Return the children of this process; none where the kernel does not say."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def count_processes() -> int:
    return sum(name.isdecimal() for name in os.listdir("/proc")) if os.path.isdir("/proc") else 0


def kill_reachable() -> None:
    """Kill at a stroke every process that a signal from here reaches, but this one."""
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)


def limit_processes() -> None:
    """Keep commands of anybody but root from having more processes than that, which the kernel does not do for root."""
    if os.geteuid() != 0:
        most = count_processes() + STORM_PROCESSES
        soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        if soft == resource.RLIM_INFINITY or soft > most:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NPROC, (most, hard))


def kill_all() -> None:
    """Kill everything that came from here: what loses its parent becomes our child, and is killed in the next round."""
    for _ in range(KILL_ROUNDS):
        children = read_children()
        if not children:
            return
        for pid in children:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    kill(pid, signal.SIGKILL)
        time.sleep(0.002)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def main() -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    limit_processes()
    launcher = Launcher(int(sys.argv[1]))
    try:
        with contextlib.suppress(OSError):
            launcher.serve()
    finally:
        if launcher.is_guarding:
            kill_reachable()
        if not launcher.leaves:
            kill_all()


if __name__ == "__main__":
    main()
