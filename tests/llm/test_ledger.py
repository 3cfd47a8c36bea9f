"""The store of calls: what is in it stays, whoever writes, whatever is killed, and every bad file is told."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.errors import BudgetError, DataError, PrerequisiteError, S2Error
from s2eval.llm import ledger as module
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call, Failure, Message, Reply
from s2eval.llm.ledger import Ledger, Spent
from s2eval.llm.prices import Price
from s2eval.llm.secrets import register

SERVICE = "openai:judge@http://127.0.0.1:1/v1"


def call(number: int, **more: object) -> Call:
    base = Call(SERVICE, "judge", (Message("user", f"Question {number}"),), temperature=0.0, max_tokens=16)
    return replace(base, **more)


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "calls.sqlite"  # the folder is made, too


# --- what is stored --------------------------------------------------------------------------------------------


def test_a_reply_comes_back_as_it_was(path: Path) -> None:
    reply = Reply("Rating: [[8]]", "stop", 120, 7, "judge-0613", 1.25, attempts=3)
    with Ledger.open(path) as ledger:
        ledger.record(call(1), reply, 0.0125)
    with Ledger.open(path) as ledger:
        assert ledger.outcomes([call(1), call(2)]) == {call(1).key: reply}
        assert ledger.pending([call(2), call(1), call(3), call(2)]) == [call(2), call(3)]  # in order, each once
        assert ledger.count() == (1, 0)
        assert ledger.spent() == Spent(calls=3, tokens_in=120, tokens_out=7, usd=0.0125, unknown=0)


def test_reasoning_is_kept_beside_the_text(path: Path) -> None:
    reply = Reply("Use `</think>`.\n</think>\n\nSo.", reasoning="Hm.")  # a text that is not to be split once more
    with Ledger.open(path) as ledger:
        ledger.record(call(1), reply)
        ledger.record(call(2), Reply("Plain."))
    with Ledger.open(path) as ledger:
        assert ledger.outcomes([call(1), call(2)]) == {call(1).key: reply, call(2).key: Reply("Plain.")}
        assert [json.loads(line).get("reasoning") for line in ledger.lines()].count("Hm.") == 1


def test_a_store_of_an_older_release_has_the_reasoning_in_its_texts(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("<think>Hm.</think>[[8]]"))
        ledger.record(call(2), Reply("<think>Hm."))
        with ledger.transaction() as connection:
            connection.execute("ALTER TABLE calls DROP COLUMN reasoning")
    with Ledger.open(path) as ledger:
        old = ledger.outcomes([call(1), call(2)])
        assert old == {call(1).key: Reply("[[8]]", reasoning="Hm."), call(2).key: Reply("", reasoning="Hm.")}
        ledger.record(call(3), Reply("[[7]]", reasoning="Hm."))
        assert ledger.outcomes([call(3)]) == {call(3).key: Reply("[[7]]", reasoning="Hm.")}


def test_a_failure_is_pending_and_a_reply_replaces_it(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Failure("rate limit", "429", attempts=5))
        assert ledger.outcomes([call(1)]) == {call(1).key: Failure("rate limit", "429", attempts=5)}
        assert ledger.pending([call(1)]) == [call(1)]
        ledger.record(call(1), Failure("server", "500", attempts=2))  # the last one counts
        assert ledger.outcomes([call(1)]) == {call(1).key: Failure("server", "500", attempts=7)}  # 5 + 2
        ledger.record(call(1), Reply("[[3]]", tokens_in=10, tokens_out=2, attempts=1), 0.5)
        assert ledger.outcomes([call(1)]) == {call(1).key: Reply("[[3]]", tokens_in=10, tokens_out=2, attempts=8)}
        assert (ledger.pending([call(1)]), ledger.count()) == ([], (1, 0))
        assert ledger.spent() == Spent(calls=8, tokens_in=10, tokens_out=2, usd=0.5)


@pytest.mark.parametrize("later", [Failure("timeout", "too slow"), Reply("[[9]]", tokens_in=1, tokens_out=1)])
def test_the_first_reply_stays(path: Path, later: Reply | Failure) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("[[3]]"), 0.25)
        ledger.record(call(1), later, 0.5)
        assert ledger.outcomes([call(1)]) == {call(1).key: Reply("[[3]]", attempts=2)}
        assert ledger.spent().usd == 0.75  # both were paid


def test_an_unknown_cost_is_counted_not_taken_as_nothing(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("a"), None)
        ledger.record(call(2), Reply("b"), 0.5)
        ledger.record(call(3), Failure("server", "500"))  # costs nothing
        assert ledger.spent() == Spent(calls=3, usd=0.5, unknown=1)


def test_the_key_is_the_hash_of_what_is_stored(path: Path) -> None:
    asked = call(1, seed=3, stop=("\n",), schema='{"type": "object"}', repeat=2)
    with Ledger.open(path) as ledger:
        ledger.record(asked, Reply("a"))
    with closing(sqlite3.connect(path)) as connection:
        key, text = connection.execute("SELECT key, call FROM calls").fetchone()
    assert key == asked.key == hashlib.sha256(text.encode()).hexdigest()
    assert json.loads(text)["messages"] == [{"content": "Question 1", "role": "user"}]


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(), min_size=1), question=st.text(st.characters(), min_size=1))
def test_any_text_survives(text: str, question: str) -> None:  # half surrogate pairs and NUL are among the characters
    asked, reply = call(0, messages=(Message("user", question),)), Reply(text, finish=text, model=text)
    failed = Failure("server", text)
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "calls.sqlite") as ledger:
        ledger.record(asked, failed)
        assert ledger.outcomes([asked]) == {asked.key: failed}
        ledger.record(asked, reply)
        assert ledger.outcomes([asked]) == {asked.key: replace(reply, attempts=2)}
        (line,) = ledger.lines()
        assert json.loads(line)["text"] == text


def test_no_key_is_stored(path: Path) -> None:
    register("canary-of-the-store")
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Failure("refused", "401: canary-of-the-store, sk-abcdefgh123456"))
        assert ledger.outcomes([call(1)]) == {call(1).key: Failure("refused", "401: ***, ***")}
    assert b"canary" not in path.read_bytes()


def test_a_count_of_tokens_that_no_integer_holds_is_none(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("a", tokens_in=10**30, tokens_out=-1))
        assert ledger.outcomes([call(1)]) == {call(1).key: Reply("a", tokens_in=None, tokens_out=None)}


def test_the_export_does_not_know_how_it_came_about(tmp_path: Path) -> None:
    def lines(name: str, order: list[int], *, failed_first: bool) -> list[str]:
        with Ledger.open(tmp_path / name) as ledger:
            for number in order:
                if failed_first:
                    ledger.record(call(number), Failure("server", "500"))
                ledger.record(call(number), Reply(f"answer {number}", seconds=time.monotonic()), 0.1)
            return list(ledger.lines())

    one, other = lines("a", [1, 2, 3], failed_first=False), lines("b", [3, 1, 2], failed_first=True)
    assert one == other
    assert [json.loads(line)["key"] for line in one] == sorted(call(number).key for number in (1, 2, 3))


# --- several processes, kills ----------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from s2eval.llm.calls import Call, Failure, Message, Reply
from s2eval.llm.ledger import Ledger
who = sys.argv[2]
with Ledger.open(Path(sys.argv[1])) as ledger:
    for number in range(60):
        call = Call("openai:judge@x", "judge", (Message("user", str(number)),), 0.0, 16)
        ledger.record(call, Failure("server", who) if number % 3 == 0 and who == "0" else Reply(who), 0.5)
        print(number, flush=True)
"""


def test_several_processes_share_a_store(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(who)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for who in range(3)  # all make the file at once
    ]
    for writer in writers:
        assert (writer.communicate()[1], writer.returncode) == (b"", 0)
    calls = [Call("openai:judge@x", "judge", (Message("user", str(number)),), 0.0, 16) for number in range(60)]
    with Ledger.open(path) as ledger:
        outcomes = ledger.outcomes(calls)
        assert ledger.count() == (60, 0)  # one a key, and no failure of the first replaced a reply of the others
        assert ledger.spent() == Spent(calls=180, usd=90.0)  # 3 × 60; all were paid
        assert all(isinstance(outcomes[one.key], Reply) and outcomes[one.key].attempts == 3 for one in calls)


def test_what_was_recorded_survives_a_kill(path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path, "1"], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [writer.stdout.readline() for _ in range(20)]
    writer.kill()
    told += writer.stdout.readlines()
    writer.wait()
    assert len(told) < 60, "the writer was to be killed half-way"
    with Ledger.open(path) as ledger:
        assert ledger.count()[0] >= len(told)
    assert sound(path)


def test_durable(path: Path) -> None:
    with Ledger.open(path) as ledger, ledger.transaction() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_transaction_that_breaks_leaves_nothing(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("a"))
        with pytest.raises(ZeroDivisionError), ledger.transaction() as connection:
            connection.execute("DELETE FROM calls").rowcount / 0
        assert ledger.count() == (1, 0)


# --- files that are no store -----------------------------------------------------------------------------------


def damaged(path: Path) -> Path:
    """A store of many pages with a hole in the middle."""
    with Ledger.open(path) as ledger:
        for number in range(200):
            ledger.record(call(number), Reply(f"answer {number} " * 50))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size // 2))
    return path


def test_a_file_of_something_else(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("question,answer\n" * 100)
    with pytest.raises(DataError, match=r"calls\.sqlite: not a store of calls.*--out"), Ledger.open(path):
        pass
    assert path.read_text() == "question,answer\n" * 100


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (a)")
    before = path.read_bytes()
    with pytest.raises(DataError, match="an SQLite file of something else"), Ledger.open(path):
        pass
    assert path.read_bytes() == before


def test_another_format(path: Path) -> None:
    with Ledger.open(path) as ledger, ledger.transaction() as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(DataError, match=f"format 7; this release reads {module.FORMAT}"), Ledger.open(path):
        pass


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with Ledger.open(path) as ledger:
        assert ledger.count() == (0, 0)


@pytest.mark.parametrize("use", ["outcomes", "spent", "lines", "record"])
def test_a_damaged_store(path: Path, use: str) -> None:
    uses = {
        "outcomes": lambda ledger: ledger.outcomes(call(number) for number in range(200)),
        "spent": lambda ledger: ledger.spent(),
        "lines": lambda ledger: list(ledger.lines()),
        "record": lambda ledger: [ledger.record(call(number), Reply("b")) for number in range(200)],
    }
    damaged(path)
    with (
        pytest.raises(DataError, match=r"calls\.sqlite: the store is damaged .*\.recover"),
        Ledger.open(path) as ledger,
    ):
        uses[use](ledger)


def test_damaged_text(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("answer"))
    path.write_bytes(path.read_bytes().replace(b"answer", b"answ\xff\xfe"))
    with pytest.raises(DataError, match="the store is damaged"), Ledger.open(path) as ledger:
        ledger.outcomes([call(1)])


def test_a_folder_in_place_of_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    with (
        pytest.raises(PrerequisiteError, match=r"calls\.sqlite: no permission to write, or no file"),
        Ledger.open(path),
    ):
        pass


def test_a_file_in_place_of_the_folder(path: Path) -> None:
    path.parent.touch()
    with pytest.raises(PrerequisiteError, match="cannot be written"), Ledger.open(path):
        pass


# --- disks that do not take it ---------------------------------------------------------------------------------


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that this user may read but not write, which for root means being somebody else for a moment."""
    folder = Path(tempfile.mkdtemp())
    with Ledger.open(folder / "calls.sqlite") as ledger:
        ledger.record(call(1), Reply("a"))
    (folder / "calls.sqlite").chmod(0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written(as_nobody: Path) -> None:
    for name in ("calls.sqlite", "new.sqlite", "new/calls.sqlite"):
        with (
            pytest.raises(PrerequisiteError, match=r"no permission to write.*--out"),
            Ledger.open(as_nobody / name) as it,
        ):
            it.record(call(2), Reply("b"))


def fill(path: Path) -> tuple[int, S2Error]:
    """Record until the disk takes no more: (how many were recorded, the error)."""
    with Ledger.open(path) as ledger:
        for number in range(10_000):
            try:
                ledger.record(call(number), Reply("x" * 3000))
            except S2Error as error:
                return number, error
    raise AssertionError("the disk was to be full")


def holds(path: Path, stored: int) -> None:
    """All that was recorded is there, and the next one can be."""
    with Ledger.open(path) as ledger:
        outcomes = ledger.outcomes(call(number) for number in range(stored))
        assert len(outcomes) == stored
        assert all(outcome == Reply("x" * 3000) for outcome in outcomes.values())
        ledger.record(call(stored), Reply("x" * 3000))
        assert ledger.count() == (stored + 1, 0)
    assert sound(path)


def test_a_limit_on_the_size_of_files(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    try:
        stored, error = fill(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(error, PrerequisiteError)
    assert "the disk does not take or give data" in str(error)
    assert stored > 10
    holds(path, stored)


def test_a_full_disk(tmp_path: Path) -> None:
    """A real one, of 400 kB: root may mount it, also where it is root of a name space of its own only."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        stored, error = fill(tmp_path / "calls.sqlite")
        assert isinstance(error, PrerequisiteError)
        assert "no space left on the disk" in str(error)
        assert stored > 10
        subprocess.run(["mount", "-o", "remount,size=4m", str(tmp_path)], check=True)  # space was freed
        holds(tmp_path / "calls.sqlite", stored)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_store_that_another_process_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    with Ledger.open(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(PrerequisiteError, match="another process has held the store"):
                ledger.record(call(1), Reply("a"))
        ledger.record(call(1), Reply("a"))
        assert ledger.count() == (1, 0)


# --- the account -----------------------------------------------------------------------------------------------


def test_a_store_of_an_older_release_keeps_its_costs(path: Path) -> None:
    """Its costs stood in the calls; they count against limits from now on, those of models here do not."""
    with Ledger.open(path) as ledger:
        ledger.record(call(1), Reply("a", tokens_in=10, tokens_out=2))
        ledger.record(call(2), Failure("server", "500", attempts=3))
        ledger.record(replace(call(3), service="local:abc"), Reply("a"))
        with ledger.transaction() as connection:
            connection.execute("DROP TABLE account")
            connection.execute("DROP TABLE claims")
            connection.execute("UPDATE calls SET cost = 0.5 WHERE key = ?", (call(1).key,))
    for _ in range(2):
        with Ledger.open(path) as ledger:
            assert ledger.spent() == Spent(calls=4, tokens_in=10, tokens_out=2, usd=0.5)
            budget = Budget(None, 0.6, lambda _: Price(1e6, 1e6))
            budget.keep_in(ledger)
            with pytest.raises(BudgetError, match=r"4 calls, 0\.5000 USD, earlier runs included"):
                budget.reserve(call(4))


def test_models_of_this_machine_are_in_no_account(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.record(replace(call(1), service="constant:x"), Reply("a"))
        assert ledger.spent() == Spent()
        assert ledger.count() == (1, 0)
