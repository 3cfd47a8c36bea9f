"""`s2eval mtbench` against a real server on a socket: what it asks, prints, keeps, and how it ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.judge.commands import KEY, Outcome, asked, command, judged, serve
from tests.llm import batches
from tests.llm.faults import Answer, Request, error, ok


def test_answers_judgments_and_tables(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        code, out, said = s2eval(*command(server, tmp_path))
        assert code == 0, said
        assert (asked(server, "student"), asked(server, "gpt-4")) == (12, 12)
        assert "| student |" in " ".join(out.split())
        assert "**8.00**" not in out  # one model alone is not the best of anything
        assert "8.00" in out
        assert "5.00" in out
        assert "6/6" in out
        again = s2eval(*command(server, tmp_path))
        assert again[:2] == (0, out)  # the very same tables, and nobody was asked
        assert (asked(server, "student"), asked(server, "gpt-4")) == (12, 12)
    folder = tmp_path / "student" / "mtbench" / "gpt-4"
    assert sorted(path.name for path in folder.iterdir()) == ["answers.jsonl", "judgments.jsonl", "single.json"]
    assert len(list(tmp_path.glob("radar-*.svg"))) == 1
    code, report, _ = s2eval("report", tmp_path)
    assert code == 0
    assert "MT(S)-Bench, judged by gpt-4/mtsbench@" in report
    code, scored, _ = s2eval("mtbench", "score", "--judgments", folder / "judgments.jsonl")
    assert "| student | 8.0000 (6/6)" in " ".join(scored.split())


def test_a_dry_run_makes_no_calls_and_writes_nothing(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        code, out, _ = s2eval(*command(server, tmp_path / "new", "--dry-run"))
        assert (code, server.requests) == (0, [])
        assert "openai:student: 12 calls" in out
        assert "openai:gpt-4: 12 calls" in out
        assert "no price is known for gpt-4" in out  # not at this address
        assert not (tmp_path / "new").exists()


def test_a_price_of_ones_own_limits_the_cost(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "date: 2026-11-22\nsource: mine\nmodels:\n  gpt-4: {input: 30, output: 60}\n  student: {input: 0, output: 0}\n"
    )
    with serve(judged) as server:
        # one judgment may cost up to 2,048 tokens out: 0.12 USD, and what it reads
        code, _, said = s2eval(*command(server, tmp_path / "out", "--prices", prices, "--max-cost", 0.01))
        assert (code, asked(server, "gpt-4")) == (3, 0)
        assert "--max-cost 0.01 USD" in said
        assert asked(server, "student") == 12
        code, _, said = s2eval(*command(server, tmp_path / "out", "--prices", prices, "--max-cost", 5))
        # 12 replies of 11 tokens in and 7 out: 12 · (11 · 30 + 7 · 60) / 10⁶ = 0.0090
        assert (code, asked(server, "student")) == (0, 12)
        assert "12 calls to APIs, 0.0090 USD" in said


def test_a_cost_limit_needs_a_price(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        code, _, said = s2eval(*command(server, tmp_path, "--max-cost", 1))
    assert (code, server.requests) == (2, [])
    assert "price" in said


def test_a_limit_of_calls_ends_the_run_and_a_higher_one_goes_on(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        code, out, said = s2eval(*command(server, tmp_path, "--max-calls", 15))
        assert (code, out) == (3, "")  # no table of a part
        assert "--max-calls 15 is reached" in said
        assert len(server.requests) == 15
        assert s2eval(*command(server, tmp_path))[0] == 0
        assert len(server.requests) == 24


def test_models_that_are_no_api_count_against_no_limit(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        few = command(server, tmp_path, "--model", "baseline:constant", "--max-calls", 12)
        assert s2eval(*few)[0] == 0
        assert s2eval(*few)[0] == 0
        assert len(server.requests) == 12
        code, _, said = s2eval(*command(server, tmp_path, "--model", "baseline:begging", "--max-calls", 12))
    assert code == 3
    assert "--max-calls 12 is reached (spent: 12 calls, 0.0000 USD, 12 of unknown price, earlier runs included)" in said


def test_a_judge_that_fails_gives_no_score(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    broken = True

    def script(request: Request, n: int) -> Answer:
        filtered = request.body["model"] == "gpt-4" and "[First Question]" in request.question and broken
        return error(400, "content filter", code="content_filter") if filtered else judged(request, n)

    with serve(script) as server:
        code, out, said = s2eval(*command(server, tmp_path))
        assert code == 3
        assert "student: 6 of 12 judgments failed" in said
        assert "s2eval" in said.rpartition("To retry: ")[2]
        assert "n=0/6" in out
        assert "6 of 12 judgments failed and will be asked again" in out
        broken = False
        before = len(server.requests)
        code, out, _ = s2eval(*command(server, tmp_path))
        assert (code, len(server.requests) - before) == (0, 6)
        assert "n=0/6" not in out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(401, f"Incorrect API key provided: {KEY}"), "key"),
        (error(429, "You exceeded your current quota", code="insufficient_quota"), "quota"),
    ],
)
def test_what_cannot_be_mended_by_asking_again_ends_the_run(
    s2eval: Callable[..., Outcome], tmp_path: Path, answer: Answer, message: str
) -> None:
    with serve(lambda *_: answer) as server:
        code, out, said = s2eval(*command(server, tmp_path))
    assert (code, out) == (1, "")
    assert message in said
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def test_a_model_that_is_whole_is_written_before_the_next_one(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    gone = error(404, "no such model", code="model_not_found")
    with serve(
        lambda request, n: judged(request, n) if request.body and request.body["model"] != "gone" else gone
    ) as server:
        models = ["--model", "openai:student", "--model", "openai:gone"]
        assert s2eval(*command(server, tmp_path, *models))[0] == 1
    assert (tmp_path / "student" / "mtbench" / "gpt-4" / "single.json").is_file()
    assert "MT(S)-Bench, judged by gpt-4" in s2eval("report", tmp_path)[1]


def test_another_model_of_the_same_name_replaces_nothing(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        assert s2eval(*command(server, tmp_path))[0] == 0
        before = len(server.requests)
        code, _, said = s2eval(*command(server, tmp_path, "--model", "openai:other/student"))
        assert (code, len(server.requests)) == (2, before)
        assert "holds results of the model openai:student, and openai:other/student has the same name" in said
        # other verdicts on the same answers lie beside them
        assert s2eval(*command(server, tmp_path, "--parser", "fastchat"))[0] == 0
    assert sorted(path.name for path in (tmp_path / "student" / "mtbench").iterdir()) == ["gpt-4", "gpt-4-fastchat"]


def test_a_password_in_the_url_is_not_told(
    s2eval: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(error(400, "filter", code="content_filter")) as server:
        arguments = command(server, tmp_path)
        arguments[arguments.index(server.url)] = server.url.replace("://", "://user:canary-password@")
        monkeypatch.setattr("sys.argv", ["s2eval", *map(str, arguments)])
        code, out, said = s2eval(*arguments)
    assert code == 3
    assert "To retry: s2eval mtbench" in said
    assert "canary-password" not in out + said


def test_a_comparison(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        code, out, said = s2eval(*command(server, tmp_path, "--mode", "pairwise", "--baseline", "baseline:constant"))
    assert code == 0, said
    assert asked(server, "gpt-4") == 24  # 6 questions, 2 turns, 2 orders
    assert "0 won, 12 ties, 0 lost" in out
    assert (tmp_path / "student" / "mtbench" / "gpt-4" / "pairwise-baseline-constant.jsonl").is_file()


def test_the_baselines_are_models(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        models = ["--model", "baseline:constant", "--model", "baseline:begging"]
        code, out, said = s2eval(*command(server, tmp_path, *models))
    assert code == 0, said
    assert asked(server, "student") == 0
    assert "flagged: the same as others 6" in out
    assert "a verdict 6" in out


def test_mt_bench_itself(s2eval: Callable[..., Outcome], tmp_path: Path, shared_data: Path) -> None:
    """FastChat's questions, prompts, references and answers: the judge is sent what FastChat's was sent."""
    data = shared_data / "mtbench"
    files = ["--questions", data / "question.jsonl", "--judge-prompts", data / "judge_prompts.jsonl"]
    files += ["--references", data / "reference_answer" / "gpt-4.jsonl"]
    published = {}
    for line in (data / "model_judgment" / "gpt-4_single.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["model"] == "llama2_7b":
            published[row["user_prompt"]] = row["judgment"]
    with serve(lambda request, _: ok(published[request.question])) as server:
        code, out, said = s2eval(
            "mtbench", "--model", f"answers:{data / 'model_answer' / 'llama2_7b.jsonl'}", "--judge", "openai:gpt-4",
            "--base-url", server.url, "--out", tmp_path, "--parser", "fastchat", *files,
        )  # fmt: skip
    assert code == 0, said
    assert len(server.requests) == 160
    code, out, _ = s2eval("report", tmp_path, "--format", "csv")
    values = {
        tuple(row[i] for i in (4, 6, 7)): float(row[8])
        for row in (line.split(",") for line in out.splitlines()[1:])
        if row[7] == "s2_judge_score"
    }
    assert values["", "1", "s2_judge_score"] == 4.7625  # FastChat's own aggregation of these judgments
    assert values["", "2", "s2_judge_score"] == 3.175
    assert values["", "", "s2_judge_score"] == 3.96875


def _lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


QUESTION = {"question_id": 1, "category": "writing", "turns": ["Hello?", "And now?"]}


@pytest.mark.parametrize(
    ("option", "rows", "message"),
    [
        ("--questions", [{**QUESTION, "turns": None}], "line 1: turns"),
        ("--questions", [QUESTION, QUESTION], "line 2: question_id"),
        ("--questions", [{**QUESTION, "category": "writting"}], "did you mean 'writing'"),
        (
            "--judge-prompts",
            [{"name": "x", "type": "single", "system_prompt": "", "prompt_template": "{question}"}],
            "answer",
        ),
    ],
)
def test_a_wrong_file_is_told_with_line_and_field_and_nothing_is_called(
    s2eval: Callable[..., Outcome], tmp_path: Path, option: str, rows: list[object], message: str
) -> None:
    file = _lines(tmp_path / "file.jsonl", *rows)
    with serve(judged) as server:
        code, _, said = s2eval(*command(server, tmp_path / "out", option, file))
    assert (code, server.requests) == (2, [])
    assert str(file) in said
    assert message in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--model is missing"),
        (("--model", "baseline:constnt"), "did you mean 'constant'"),
        (("--model", "baseline:constant", "--mode", "pairwise"), "--baseline"),
        (("--model", "baseline:constant", "--model", "baseline:constant"), "two models are called baseline-constant"),
        (("--model", "baseline:constant", "--structured", "--parser", "fastchat"), "--structured"),
        (("--model", "answers:nowhere.jsonl"), "nowhere.jsonl"),
        (("--model", "baseline:constant", "--suite", "mtbnch"), "did you mean 'mtsbench'"),
        (("--model", "baseline:constant", "--judge", "baseline:constant"), "a judge must be able to read"),
    ],
)
def test_wrong_usage(s2eval: Callable[..., Outcome], tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, said = s2eval("mtbench", *arguments, "--out", tmp_path)
    assert code == 2
    assert message in said


def test_the_batch_api(s2eval: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command submits what can be asked by then, or collects it: first turns, second turns, judgments."""
    monkeypatch.setenv("OPENAI_API_KEY", batches.CANARY)
    with batches.running() as server:
        server.rows = lambda request: {"response": {"status_code": 200, "body": batches.completion("Rating: [[7]]")}}
        server.looks = ["completed"]
        command = ["mtbench", "--model", "openai:student", "--judge", "openai:gpt-4", "--base-url", server.url]
        codes = []
        for _ in range(8):
            code, out, said = s2eval(*command, "--batch", "--limit", 6, "--out", tmp_path)
            codes.append(code)
            if code != 3:
                break
            assert "The same command" in said
        assert codes[-1] == 0, said
        assert "6/6" in out
        assert [len(requests) for requests in server.submitted()] == [6, 6, 12]
        assert max(server.asked().values()) == 1  # nothing twice


def test_a_reply_of_another_model_is_noted(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    def script(request: Request, n: int) -> Answer:
        answer = judged(request, n)
        named = {"student": b'"model": "studentxxx"', "gpt-4": b'"model": "llama-3-8b"'}[request.body["model"]]
        body = answer.raw.replace(b'"model": "judge-0613"', named)
        return Answer(body.replace(b'"studentxxx"', b'"student-06"'))

    with serve(script) as server:
        code, out, said = s2eval(*command(server, tmp_path))
    assert code == 0, said
    assert "12 replies to `gpt-4` came from another model (`llama-3-8b` 12)" in " ".join(out.split())
    assert "12 replies to `student` came from another model (`student-06` 12)" in " ".join(out.split())
    report = s2eval("report", tmp_path)[1]
    assert "came from another model (`llama-3-8b` 12)" in " ".join(report.split())


def test_a_dated_version_is_noted_as_one(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    def script(request: Request, n: int) -> Answer:
        return Answer(judged(request, n).raw.replace(b'"judge-0613"', b'"gpt-4-0613"'))

    with serve(script) as server:
        out = s2eval(*command(server, tmp_path, "--model", "openai:gpt-4", "--judge", "openai:gpt-4"))[1]
    assert "`gpt-4` was answered by `gpt-4-0613`" in " ".join(out.split())
    assert "another model" not in out


# --- money -----------------------------------------------------------------------------------------------------


def test_calls_without_a_price_are_told_as_such(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    with serve(judged) as server:
        said = s2eval(*command(server, tmp_path))[2]
        assert "24 calls to APIs, cost unknown (no price is known; give one with --prices)" in said
        said = s2eval(*command(server, tmp_path))[2]
        assert "no calls to APIs; with earlier runs into" in said


def test_a_limit_counts_earlier_runs_and_useless_replies(s2eval: Callable[..., Outcome], tmp_path: Path) -> None:
    """A reasoning judge that writes nothing within 2,048 tokens, each time for 0.1233 USD: of 1 USD it gets 8 tries."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "date: 2026-11-22\nsource: mine\nmodels:\n  gpt-4: {input: 30, output: 60}\n  student: {input: 0, output: 0}\n"
    )
    usage = {"prompt_tokens": 14, "completion_tokens": 2048, "total_tokens": 2062}

    def script(request: Request, n: int) -> Answer:
        return ok("", "length", usage=usage) if request.body["model"] == "gpt-4" else judged(request, n)

    with serve(script) as server:
        for _ in range(3):
            limited = command(server, tmp_path / "out", "--prices", prices, "--max-cost", 1)
            code, _, said = s2eval(*limited)
            assert code == 3
            assert "--max-cost 1.00 USD" in said
        assert asked(server, "gpt-4") * (14 * 30 + 2048 * 60) / 1e6 <= 1.0
        assert 5 <= asked(server, "gpt-4") <= 8
    with sqlite3.connect(tmp_path / "out" / "calls.sqlite") as connection:
        assert connection.execute("SELECT SUM(usd) FROM account").fetchone()[0] <= 1.0
