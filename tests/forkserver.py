"""Starts Python programs as processes of their own that have imported torch and its like already.

    python tests/forkserver.py SOCKET

Half of what a test of a command costs is the import of torch, transformers, peft and TRL, five seconds each time. This
process imports them once and forks: what a test gets is a process with its own memory, files, signals, session and exit
status. `tests/processes.py` is the other side. Ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import runpy
import selectors
import signal
import socket
import sys
import types
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn


def preload() -> None:
    """What the programs import before they do anything."""
    import datasets  # noqa: F401
    import lm_eval.api.task
    import lm_eval.models.huggingface
    import lm_eval.tasks  # noqa: F401
    import peft  # noqa: F401
    import scipy.stats  # noqa: F401
    import torch  # noqa: F401
    import transformers.models.llama.modeling_llama  # noqa: F401
    import trl  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, Trainer  # noqa: F401
    from trl import DPOTrainer, GRPOTrainer, RewardTrainer, RLOOTrainer, SFTTrainer  # noqa: F401


def serve(path: str) -> None:
    """Fork a child for each request; send its pid, and its status when it has ended."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    ready = selectors.DefaultSelector()
    for what in (listener, reader, sys.stdin.fileno()):
        ready.register(what, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                request, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
                pid = os.fork()
                if pid == 0:
                    for other in (listener, connection, *running.values()):
                        other.close()
                    become(json.loads(request), descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                running[pid] = connection
                connection.sendall(pid.to_bytes(8, "big"))
            elif key.fileobj == reader:
                os.read(reader, 4096)
                reap(running)
            else:
                return


def reap(running: dict[int, socket.socket]) -> None:
    """Tell of every child that has ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as connection, suppress(BrokenPipeError):  # nobody waits for it any more
            connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))


def become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Run the program that was asked for, in this process, as `python [-u] (-m MODULE | FILE) …` would."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, 256)
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    kind, name, *arguments = request["command"]
    code: Any = 0
    try:
        if kind == "-m":
            sys.argv = [name, *arguments]
            sys.path[0] = request["cwd"]
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            sys.argv = [name, *arguments]
            sys.path[0] = str(Path(name).parent)
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            main.__file__ = name
            exec(compile(Path(name).read_text(encoding="utf-8"), name, "exec"), main.__dict__)
    except SystemExit as left:
        code = left.code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except Exception:  # noqa: BLE001  # as the interpreter does
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    import atexit
    import threading

    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does: threads that are no daemons end first
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError, ValueError):
            stream.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    preload()
    serve(sys.argv[1])
