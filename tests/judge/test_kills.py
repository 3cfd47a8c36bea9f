"""`s2eval mtbench` killed at random moments: what it leaves in the end is what an undisturbed run leaves."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.llm.faults import Answer, Request, http, ok, serve
from tests.run.runs import program

KILLS = int(os.environ.get("S2_COMMAND_KILLS", "4"))
IN_FLIGHT = 16


def answered(request: Request, _: int) -> Answer:
    """A student and a judge whose words depend on what they are asked alone."""
    digest = hashlib.sha256(repr((request.body["messages"], request.body.get("seed"))).encode()).hexdigest()
    if request.body["model"] == "student":
        return ok(f"I think that {digest}.").late(0.05)
    return ok(f"It says {digest[:8]}.\nRating: [[{int(digest[:4], 16) % 10 + 1}]]").late(0.05)


def written(folder: Path) -> dict[str, bytes]:
    """Every file of the results but the store, which holds times."""
    files = (path for path in folder.rglob("*") if path.is_file() and "calls.sqlite" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_kills(tmp_path: Path) -> None:
    random.seed(4)
    environment = {**os.environ, "OPENAI_API_KEY": "sk-canary"}

    def start(url: str, out: Path) -> subprocess.Popen[bytes]:
        options = ["--model", "openai:student", "--judge", "openai:judge", "--base-url", url, "--choices", "4"]
        command = program("mtbench", *options, "--in-flight", IN_FLIGHT, "--out", out)
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    catalog = http(200, {"data": [{"id": "student"}, {"id": "judge"}]})
    with serve(answered, catalog) as server:
        undisturbed = start(server.url, tmp_path / "undisturbed")
        table = undisturbed.communicate()[0]
        assert undisturbed.returncode == 0
        calls = len(server.requests)
        # 50 questions answered four times, 10 greedily once, in two turns; as many different answers to judge
        assert calls == 2 * 2 * (50 * 4 + 10)
        for _ in range(KILLS):
            before, process = len(server.requests), start(server.url, tmp_path / "killed")
            while len(server.requests) == before and process.poll() is None:
                time.sleep(0.01)  # it has begun to ask
            time.sleep(random.uniform(0, 0.8))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        last = start(server.url, tmp_path / "killed")
        assert last.communicate()[0] == table
        assert last.returncode == 0
        assert len(server.requests) - 2 * calls <= KILLS * IN_FLIGHT  # what was in flight, and nothing else, again
    killed, whole = written(tmp_path / "killed"), written(tmp_path / "undisturbed")
    assert killed == whole
    assert len(whole["student/mtbench/judge/judgments.jsonl"].splitlines()) == 480
