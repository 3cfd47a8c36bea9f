"""Commands as processes of their own, like subprocess's `run` and `Popen`, forked from one that has torch already.

Only for programs of Python that read nothing of the environment while torch and its like are imported.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess, TimeoutExpired
from typing import IO, Any

HERE = Path(__file__).parent
_PROGRAMS = {"s2eval": "s2eval", "s2train": "s2train", "lm_eval": "lm_eval"}  # script → module
_servers: dict[int, str] = {}  # pid of the process that started it → its socket


def _server() -> str:
    """The socket of this process's fork server; started at the first call."""
    path = _servers.get(os.getpid())
    if path is None:
        folder = tempfile.mkdtemp(prefix="fork")
        path = _servers[os.getpid()] = f"{folder}/socket"
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}
        log = Path(folder, "log").open("w")  # noqa: SIM115  # lives as long as the server
        server = subprocess.Popen(
            [sys.executable, HERE / "forkserver.py", path], env=environment, stdin=PIPE, stdout=log, stderr=log
        )
        atexit.register(server.kill)
        deadline = time.monotonic() + 120
        while not Path(path).exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the fork server did not start: {Path(folder, 'log').read_text()}")
            time.sleep(0.05)
    return path


class Popen:
    """A process; what of subprocess.Popen tests need."""

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        text: bool = False,
        start_new_session: bool = False,
    ) -> None:
        self.args = [os.fspath(part) for part in command]
        self.returncode: int | None = None
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None
        self.collected: dict[str, Any] = {}
        given: list[int] = []  # descriptors of the child
        mine: list[int] = []  # to be closed here once the child has them
        for number, what in enumerate((stdin, stdout, stderr)):
            if what == PIPE and number:
                reader, writer = os.pipe()
                stream = os.fdopen(reader, "r" if text else "rb")
                setattr(self, ("stdin", "stdout", "stderr")[number], stream)
                given.append(writer)
                mine.append(writer)
            elif what == STDOUT:
                given.append(given[1])
            elif what is None or isinstance(what, int):
                if what == DEVNULL or (what is None and number == 0):
                    mine.append(os.open(os.devnull, os.O_RDWR))
                    given.append(mine[-1])
                else:
                    given.append(number if what is None else what)
            else:
                given.append(what.fileno())
        request = {
            "command": _interpreted(self.args),
            "cwd": os.fspath(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
            "session": start_new_session,
        }
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_server())
        socket.send_fds(self._connection, [json.dumps(request).encode()], given)
        self.pid = int.from_bytes(self._connection.recv(8), "big")
        for descriptor in mine:
            os.close(descriptor)

    def poll(self) -> int | None:
        """The exit status if it has ended; negative: the signal that ended it."""
        try:
            return self.wait(timeout=0)
        except TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            self._connection.settimeout(max(timeout, 1e-3) if timeout is not None else None)
            try:
                answer = self._connection.recv(8)
            except TimeoutError:
                raise TimeoutExpired(self.args, timeout or 0) from None
            self.returncode = int.from_bytes(answer, "big", signed=True)
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """What it writes, to its end."""
        reader = threading.Thread(target=self.collect, daemon=True)
        reader.start()
        self.wait(timeout)
        reader.join(timeout)
        return self.collected.get("stdout"), self.collected.get("stderr")

    def collect(self) -> None:
        """Read what it writes to its end, into `collected`."""
        streams = {"stdout": self.stdout, "stderr": self.stderr}
        threads = [
            threading.Thread(target=lambda name=name, stream=stream: self.collected.update({name: stream.read()}))
            for name, stream in streams.items()
            if stream is not None
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def __enter__(self) -> Popen:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> CompletedProcess[Any]:
    """Run to the end."""
    if capture_output:
        options |= {"stdout": PIPE, "stderr": PIPE}
    process = Popen(command, **options)
    try:
        out, error = process.communicate(timeout)
    except TimeoutExpired:
        process.kill()
        raise
    code = process.wait()
    if check and code:
        raise subprocess.CalledProcessError(code, process.args, out, error)
    return CompletedProcess(process.args, code, out, error)


def ranks(
    command: Sequence[str | os.PathLike[str]], number: int = 2, timeout: float = 280, **environment: str
) -> list[CompletedProcess[str]]:
    """Run it in processes that know of one another as torchrun's do; where one fails, the others are killed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    world = {
        "WORLD_SIZE": str(number),
        "LOCAL_WORLD_SIZE": str(number),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    root = str(HERE.parent)
    started = [
        Popen(
            command,
            cwd=root,
            env={**os.environ, "PYTHONPATH": root, **world, "RANK": rank, "LOCAL_RANK": rank, **environment},
            stdout=PIPE,
            stderr=PIPE,
            text=True,
        )
        for rank in map(str, range(number))
    ]
    readers = [threading.Thread(target=process.collect) for process in started]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + timeout
    while any(process.poll() is None for process in started):
        if any(process.poll() for process in started) or time.monotonic() > deadline:
            for process in started:
                process.kill()
        time.sleep(0.02)
    for reader in readers:
        reader.join()
    return [CompletedProcess(p.args, p.wait(), p.collected["stdout"], p.collected["stderr"]) for p in started]


def _interpreted(command: list[str]) -> list[str]:
    """`-m MODULE …` or `file FILE …`: of `python [-u] …`, or of a script that pip made of one of our programs."""
    first, *rest = command
    if Path(first).name in _PROGRAMS:
        return ["-m", _PROGRAMS[Path(first).name], *rest]
    if first != sys.executable:
        raise ValueError(f"not a program of this Python: {first}")
    rest = rest[1:] if rest[0] == "-u" else rest
    return rest if rest[0] == "-m" else ["file", *rest]
