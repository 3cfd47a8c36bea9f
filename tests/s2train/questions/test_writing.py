"""Questions written by a model behind a real socket: what is asked, what is asked again, what is kept and counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.errors import BudgetError, DataError, IncompleteError, UsageError
from s2eval.llm import Budget, Failure, Ledger, Outcome, Reply
from s2eval.llm.prices import estimate, load
from s2train.data.questions.checks import DUPLICATE, Draft, Thresholds, refusal
from s2train.data.questions.writing import (
    Passage,
    Prompt,
    QuestionFunnel,
    QuestionSet,
    QuestionSettings,
    Writer,
    calls,
    load_prompt,
    open_writer,
    passages_of,
    sift,
    write_questions,
)
from s2train.data.records import Kept
from s2train.data.wiki import pairs as wiki
from tests.llm.batches import CANARY, completion, running
from tests.llm.faults import Answer, Faults, Request, error, ok, serve

TEXTS = {
    "a": ("Rain", "Water falls in drops, as wind and weather will."),
    "b": ("Snow", "It is frozen water that wind and weather bring."),
    "c": ("Wind", "Air moves from place to place, and so does the weather."),
}
WANTED = [Passage(identity, title, text) for identity, (title, text) in TEXTS.items()]
PROMPT = Prompt("Ask about {title}: {text}")
NO_MARK = "no question mark at its end"


def title_of(request: Request) -> str:
    return request.question.removeprefix("Ask about ").partition(":")[0]


def asks(request: Request, _: int) -> Answer:
    """A good question about each subject."""
    return ok(f"What is {title_of(request)}?")


def first_bad(replies: Mapping[str, str]) -> Any:
    """These at the first asking, good questions at the second, which is sampled."""

    def script(request: Request, n: int) -> Answer:
        again = request.body["temperature"] > 0
        return asks(request, n) if again else ok(replies.get(title_of(request), f"What is {title_of(request)}?"))

    return script


def writer(url: str, **more: Any) -> Writer:
    remote = {"api_key": CANARY, "backoff": 0.001, "attempts": 2}
    return open_writer("openai:gpt-3.5-turbo", url, remote=remote, **more)


def written(server: Faults, folder: Path, wanted: list[Passage] = WANTED, **more: Any) -> QuestionSet:
    with Ledger.open(folder / "calls.sqlite") as ledger:
        return write_questions(wanted, writer(server.url, **more), ledger, prompt=PROMPT)


def test_each_text_becomes_the_answer_to_its_question(tmp_path: Path) -> None:
    with serve(asks) as server:
        result = written(server, tmp_path)
    assert result.pairs[0].row() == {
        "id": "a",
        "question": "What is Rain?",
        "answer": "Water falls in drops, as wind and weather will.",
        "source": "simplewiki",
        "title": "Rain",
        "model": "gpt-3.5-turbo",
        "prompt_hash": PROMPT.hash,
    }
    assert [pair.question for pair in result.pairs] == ["What is Rain?", "What is Snow?", "What is Wind?"]
    assert (result.funnel.passages, result.funnel.written, len(server.requests)) == (3, 3, 3)
    sent = [request.body for request in server.requests]
    assert {(body["model"], body["temperature"], body["seed"]) for body in sent} == {("gpt-3.5-turbo", 0.0, 0)}


def test_a_run_that_is_repeated_asks_nobody(tmp_path: Path) -> None:
    with serve(first_bad({"Snow": "Snow is water."})) as server:
        before = written(server, tmp_path)
    assert len(server.requests) == 4
    assert written(server, tmp_path) == before  # the server is gone


def test_a_refused_question_is_asked_for_once_more(tmp_path: Path) -> None:
    with serve(first_bad({"Snow": "Snow is water.", "Wind": "What does the text say?"})) as server:
        result = written(server, tmp_path)
    assert [pair.question for pair in result.pairs] == ["What is Rain?", "What is Snow?", "What is Wind?"]
    again = [request for request in server.requests if request.body["temperature"] > 0]
    assert sorted(map(title_of, again)) == ["Snow", "Wind"]
    assert {(request.body["temperature"], request.body["seed"]) for request in again} == {(0.7, 1)}
    funnel = result.funnel
    assert {reason: n for reason, n in funnel.refused_first.items() if n} == {NO_MARK: 1, "points at the text": 1}
    assert (funnel.rescued, sum(funnel.refused.values()), funnel.written) == (2, 0, 3)  # 3 = 1 at first + 2


def test_a_question_refused_twice_is_counted_and_shown(tmp_path: Path) -> None:
    with serve(lambda request, n: ok("No.") if title_of(request) == "Snow" else asks(request, n)) as server:
        result = written(server, tmp_path)
    assert len(server.requests) == 3 + 1  # not a third time
    assert [pair.id for pair in result.pairs] == ["a", "c"]
    assert {reason: n for reason, n in result.funnel.refused.items() if n} == {NO_MARK: 1}
    assert result.funnel.examples == {NO_MARK: (("b", "No."),)}
    lines = [line.split() for line in result.funnel.lines()]
    assert ["=", "questions", "2"] in lines
    assert ["-", *NO_MARK.split(), "1"] in lines


def test_of_equal_questions_the_smallest_id_keeps_it(tmp_path: Path) -> None:
    same = {"Rain": "What is the weather?", "Snow": "What is the Weather ?", "Wind": "“What is the weather?”"}
    with serve(first_bad(same)) as server:
        result = written(server, tmp_path, WANTED[::-1])
    assert [(pair.id, pair.question) for pair in result.pairs] == [
        ("c", "What is Wind?"),  # in the order of the passages
        ("b", "What is Snow?"),
        ("a", "What is the weather?"),
    ]
    assert result.funnel.refused_first[DUPLICATE] == 2


def test_a_second_try_takes_no_question_that_is_given(tmp_path: Path) -> None:
    def script(request: Request, n: int) -> Answer:
        again = request.body["temperature"] > 0
        return ok("What is Wind?") if again else asks(request, n) if title_of(request) == "Wind" else ok("No.")

    with serve(script) as server:
        result = written(server, tmp_path)
    assert [(pair.id, pair.question) for pair in result.pairs] == [("c", "What is Wind?")]  # though a and b are smaller
    assert result.funnel.refused[DUPLICATE] == 2


def test_the_writers_reasoning_is_no_question() -> None:
    asked = [Passage("1", "Rain", "Water falls down.")]
    outcomes: dict[str, Outcome] = {"1": Reply("<think>Which one? Rain!</think>Why does rain fall down?")}
    assert sift(asked, outcomes, Thresholds()).accepted == {"1": "Why does rain fall down?"}


REPLIES = st.sampled_from(["What is rain?", "What is Rain ?", "What is snow?", "No.", "What is wind like?", None])


@given(st.permutations(range(5)), st.lists(REPLIES, min_size=5, max_size=5))
def test_the_order_of_passages_and_replies_does_not_matter(order: list[int], replies: list[str | None]) -> None:
    asked = [Passage(str(n), "", "Water falls down.") for n in range(5)]
    outcomes: dict[str, Outcome] = {
        str(n): Failure("server", "gone") if (text := replies[n]) is None else Reply(text) for n in order
    }
    result = sift([asked[n] for n in order], outcomes, Thresholds())
    assert result == sift(asked, dict(sorted(outcomes.items())), Thresholds())
    assert len(result.accepted) + len(result.refused) + len(result.unanswered) == 5
    kept = [question.casefold().replace(" ?", "?") for question in result.accepted.values()]
    assert len(set(kept)) == len(kept)


def test_a_reply_that_did_not_come_is_no_refusal_and_is_asked_for_by_the_next_run(tmp_path: Path) -> None:
    def fails(request: Request, n: int) -> Answer:
        return error(400, "content filter") if title_of(request) == "Snow" else asks(request, n)

    with serve(fails) as server:
        result = written(server, tmp_path)
    assert [pair.id for pair in result.pairs] == ["a", "c"]
    assert result.funnel.unanswered == {"refused": 1}
    assert sum(result.funnel.refused_first.values()) == 0
    with Ledger.open(tmp_path / "calls.sqlite") as ledger, serve(asks) as server:
        # another port is another server, whose replies are others: so the identity of the first is kept here
        other = Writer("gpt-3.5-turbo", first_identity(ledger), writer(server.url).service)
        result = write_questions(WANTED, other, ledger, prompt=PROMPT)
    assert [title_of(request) for request in server.requests] == ["Snow"]
    assert result.funnel.written == 3


def first_identity(ledger: Ledger) -> str:
    return json.loads(json.loads(next(ledger.lines()))["call"])["service"]


def test_the_limit_on_calls_stops_the_run_and_keeps_what_came(tmp_path: Path) -> None:
    with serve(asks) as server:
        with pytest.raises(BudgetError, match="--max-calls 2"):
            written(server, tmp_path, budget=Budget(2, None))
        assert len(server.requests) == 2
        assert written(server, tmp_path).funnel.written == 3
        assert len(server.requests) == 3


def test_by_the_batch_api_in_three_runs(tmp_path: Path) -> None:
    """Submitted; collected, and the refused ones submitted; collected: the questions are those asked directly."""
    bad = {"Snow": "Snow is water."}
    with serve(first_bad(bad)) as direct:
        wanted = written(direct, tmp_path / "direct")

    def row(body: dict[str, Any]) -> dict[str, Any]:
        title = body["messages"][-1]["content"].removeprefix("Ask about ").partition(":")[0]
        good = f"What is {title}?"
        text = good if body["temperature"] > 0 else bad.get(title, good)
        return {"response": {"status_code": 200, "body": completion(text)}}

    with running() as server, Ledger.open(tmp_path / "calls.sqlite") as ledger:
        server.rows, server.looks = row, ["in_progress", "completed"]
        identity = writer(server.url).identity

        def run() -> QuestionSet:
            from s2eval.llm import BatchService

            service = BatchService(server.url, CANARY, ledger, wait=False, interval=0.01, pause=0.01)
            return write_questions(WANTED, Writer("gpt-3.5-turbo", identity, service), ledger, prompt=PROMPT)

        for waiting in (3, 1):
            with pytest.raises(IncompleteError, match=f"{waiting} calls are submitted"):
                run()
        assert run() == wanted
        assert [len(requests) for requests in server.submitted()] == [3, 1]


def test_no_passage_nothing_asked(tmp_path: Path) -> None:
    with serve(asks) as server:
        result = written(server, tmp_path, [])
    assert (result.pairs, result.funnel.written, server.requests) == ((), 0, [])


def test_an_id_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    with serve(asks) as server, pytest.raises(DataError, match="such as 'a'"):
        written(server, tmp_path, [*WANTED, WANTED[0]])
    assert server.requests == []


# --- passages, prompt, writer ---


def test_leads_of_real_articles(shared_data: Path) -> None:
    rows = map(json.loads, (shared_data / "simplewiki" / "swipe_pairs.jsonl").open(encoding="utf-8"))
    records = [wiki.WikiRecord.model_validate({"title": row["title"], "text": row["simple_text"]}) for row in rows]
    found = passages_of(outcome.pair for outcome in map(wiki.pair, records) if isinstance(outcome, Kept))
    assert found[0].title == "New York City"
    asked = calls(found, writer("https://api.openai.com/v1"), load_prompt(), QuestionSettings())
    whole = estimate(asked.values(), load())
    assert whole.calls == len({call.key for call in asked.values()}) == 692  # of 700 less 8 that are no leads
    assert whole.usd_at_most < 1.0  # in USD at the shipped prices of gpt-3.5-turbo


def test_the_shipped_prompt_shows_examples_that_pass_its_own_checks() -> None:
    *examples, last = load_prompt().render(Passage("a", "{text}", "What {title} costs: {}."))
    assert last.content.startswith("What {title} costs: {}.\n\n")  # braces of a text are its own
    assert "question about {text} that" in last.content
    assert [message.role for message in examples] == ["user", "assistant"] * 3
    for asked, question in zip(examples[::2], examples[1::2], strict=True):
        text, instruction = asked.content.split("\n\n")
        title = instruction.split(" about ")[1].split(" that ")[0]
        assert refusal(Draft(question.content, text, title), Thresholds()) is None
        assert instruction == last.content.split("\n\n")[1].replace("{text}", title)


def test_a_prompt_may_be_several_messages() -> None:
    prompt = Prompt("# system\nBe brief.\n\n# user\n# Title: {title}\n{text}\n")
    said = [(message.role, message.content) for message in prompt.render(Passage("a", "Rain", "It falls."))]
    assert said == [("system", "Be brief."), ("user", "# Title: Rain\nIt falls.")]
    with pytest.raises(DataError, match="last message of the user"):
        Prompt("# user\n{text}\n# assistant\nWhat?")


def test_a_prompt_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "prompt.md"
    path.write_text("Ask: {text}", encoding="utf-8")
    assert load_prompt(path).hash == Prompt("Ask: {text}").hash != Prompt("Ask {text}").hash
    path.write_text("Ask!", encoding="utf-8")
    with pytest.raises(DataError, match=r"no \{text\}"):
        load_prompt(path)
    with pytest.raises(DataError, match=r"missing\.md"):
        load_prompt(tmp_path / "missing.md")


def test_another_prompt_or_setting_asks_other_calls() -> None:
    def keys(prompt: Prompt = PROMPT, **settings: Any) -> set[str]:
        opened = writer("http://127.0.0.1:1/v1")
        chosen = QuestionSettings.model_validate(settings)
        return {call.key for call in calls(WANTED, opened, prompt, chosen).values()}

    assert keys() == keys()
    assert keys().isdisjoint(keys(Prompt("Ask {text}")))
    assert keys().isdisjoint(keys(first={"temperature": 0.5}))
    first = calls(WANTED, writer("http://127.0.0.1:1/v1"), PROMPT, QuestionSettings())
    again = calls(WANTED, writer("http://127.0.0.1:1/v1"), PROMPT, QuestionSettings(), again=True)
    assert {call.repeat for call in again.values()} == {1}
    assert {call.key for call in first.values()}.isdisjoint(call.key for call in again.values())


@pytest.mark.parametrize(
    ("model", "base_url", "said"),
    [("openai:", None, "expected openai:NAME"), ("mistral", "http://localhost:8000/v1", "did you mean openai:mistral")],
)
def test_writers_that_cannot_be(model: str, base_url: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_writer(model, base_url)


def test_a_model_of_this_machine_writes_too(tmp_path: Path, tiny_model: Path) -> None:
    """It has random weights, so its replies are refused, each by a named reason, and asked for once more."""
    opened = open_writer(str(tiny_model))
    settings = QuestionSettings(max_tokens=8)
    with Ledger.open(tmp_path / "calls.sqlite") as ledger:
        funnel: QuestionFunnel = write_questions(WANTED, opened, ledger, settings).funnel
        assert ledger.count() == (6, 0)  # 3 passages, twice
    assert sum(funnel.refused.values()) == 3 == funnel.passages - funnel.written
