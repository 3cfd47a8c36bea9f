"""`s2_mtsbench` in lm-eval: the judge of the environment, and none."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from s2eval.errors import UsageError
from s2eval.tasks.mtsbench import lm_eval as judged
from s2eval.tasks.mtsbench.lm_eval import mean_rating, score_answer, share_rated
from tests.llm.faults import Request, error, ok, serve


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("S2_JUDGE", "S2_JUDGE_BASE_URL", "S2_JUDGE_MAX_CALLS", "S2_JUDGE_MAX_COST", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S2EVAL_CACHE", str(tmp_path))


def items(answers: dict[int, str]) -> list[object]:
    return [score_answer({"id": number}, [answer])["s2_judge_score"] for number, answer in answers.items()]


def test_the_documents_are_the_first_turns() -> None:
    rows = judged.questions(template="s2")["test"]
    assert len(rows) == 60
    assert rows[0]["prompt"] == f"### Human: {rows[0]['question']} ###Assistant:"


def test_without_a_judge_there_is_no_score(caplog: pytest.LogCaptureFixture) -> None:
    judged.questions(template="s2")
    assert "answers will not be judged: set S2_JUDGE" in caplog.text
    assert math.isnan(mean_rating(items({1: "Because.", 2: "So."})))


def test_the_judge_of_the_environment(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def script(request: Request, _: int) -> object:
        text = request.question
        return ok("Fine." if "NOTHING" in text else "Rating: [[9]]" if "GOOD" in text else "Rating: [[4]]")

    with serve(script) as server:  # type: ignore[arg-type]
        monkeypatch.setenv("S2_JUDGE", "openai:judge")
        monkeypatch.setenv("S2_JUDGE_BASE_URL", server.url)
        asked = items({1: "GOOD", 2: "BAD", 51: "NOTHING"})
        assert mean_rating(asked) == 6.5  # (9 + 4) / 2
        # two values: s/√n = 3.5355/1.4142
        assert mean_rating.stderr(asked) == pytest.approx(2.5)
        assert "1 of 3 answers have no rating: no verdict 1" in caplog.text
        assert share_rated(asked) == pytest.approx(2 / 3)
        assert len(server.requests) == 3
        judged._ratings.cache_clear()  # as in another process
        assert mean_rating(items({1: "GOOD", 2: "BAD", 51: "NOTHING"})) == 6.5
        assert len(server.requests) == 3  # kept in the cache


def test_a_judge_that_cannot_be_asked_loses_no_results(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(error(401, "Incorrect API key")) as server:
        monkeypatch.setenv("S2_JUDGE", "openai:judge")
        monkeypatch.setenv("S2_JUDGE_BASE_URL", server.url)
        asked = items({1: "A", 2: "B"})
        assert math.isnan(mean_rating(asked))  # lm-eval would lose every task's results over an exception
        assert share_rated(asked) == 0.0
        assert "s2_mtsbench: not judged:" in caplog.text
        assert "key" in caplog.text


def test_a_wrong_limit_is_told_before_anything_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2_JUDGE", "openai:judge")
    monkeypatch.setenv("S2_JUDGE_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("S2_JUDGE_MAX_COST", "much")
    with pytest.raises(UsageError, match="S2_JUDGE_MAX_COST=much: not a number"):
        judged.questions(template="s2")
