"""The store of calls: what is in it stays, whoever writes, whatever is killed, and every bad file is told."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.errors import BudgetError
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call, Failure, Message, Reply
from s2eval.llm.ledger import Ledger, Spent
from s2eval.llm.prices import Price
from s2eval.llm.secrets import register
from tests.llm.stores import call, sound

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
