"""The price table, the user's own, and the estimate before anything is called."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.errors import ConfigError
from s2eval.llm.calls import Call, Failure, Message, Reply
from s2eval.llm.prices import FREE, Estimate, Price, Prices, cost, estimate, load, max_usd

OPENAI = "https://api.openai.com/v1"
OWN = "date: 2027-01-31\nsource: mine\nmodels:\n"


def call(model: str = "gpt-4", text: str = "x" * 400, url: str = OPENAI, max_tokens: int = 100) -> Call:
    return Call(f"openai:{model}@{url}", model, (Message("user", text),), temperature=0.0, max_tokens=max_tokens)


@pytest.fixture(autouse=True)
def _no_file_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S2EVAL_PRICES", raising=False)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(
        f"{OWN}  judge: {{input: 2, output: 8}}\n  gpt-4: {{input: 1.5, output: 3, batch_discount: 0.25}}\n"
    )
    return path


# --- the table -------------------------------------------------------------------------------------------------


def test_the_shipped_table_says_its_date_and_its_source() -> None:
    prices = load()
    assert datetime.date.fromisoformat(prices.date) >= datetime.date(2026, 11, 22)
    assert "LiteLLM" in prices.source


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4", (30.0, 60.0)),
        ("gpt-4-0613", (30.0, 60.0)),  # a snapshot of it
        ("gpt-4-0125-preview", (10.0, 30.0)),  # has a line of its own
        ("gpt-4-turbo-2024-04-09", (10.0, 30.0)),
        ("gpt-4o-2024-08-06", (2.5, 10.0)),
        ("gpt-4o-2024-05-13", (5.0, 15.0)),  # the first one was dearer, and has a line of its own
        ("gpt-4o-mini-2024-07-18", (0.15, 0.6)),
        ("gpt-4.1-mini", (0.4, 1.6)),
        ("gpt-3.5-turbo-0125", (0.5, 1.5)),
        ("gpt-4-32k", None),  # twice the price of gpt-4: a name that begins alike is not enough
        ("gpt-4o-audio-preview", None),
        ("ft:gpt-4o-mini-2024-07-18:me::abc", None),
        ("gpt-5-pro", None),
        ("my-model", None),
        ("", None),
    ],
)
def test_a_price_is_that_of_the_model_or_of_its_snapshot(model: str, price: tuple[float, float] | None) -> None:
    found = load().price(model)
    assert (found and (found.input, found.output)) == price


def test_the_batch_api_asks_half() -> None:
    assert load(batch=True).price("gpt-4-0613") == Price(15.0, 30.0)  # 30 × (1 - 0.5), 60 × (1 - 0.5)


@pytest.mark.parametrize("given_by", ["argument", "variable"])
def test_the_users_prices_count_first(own: Path, given_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2EVAL_PRICES", str(own) if given_by == "variable" else "/nowhere")
    prices = load(own if given_by == "argument" else None)
    assert prices.price("judge") == Price(2.0, 8.0)
    assert prices.price("gpt-4") == Price(1.5, 3.0, batch_discount=0.25)
    assert prices.price("gpt-4-0613") == Price(1.5, 3.0, batch_discount=0.25)
    assert prices.price("gpt-4o") == Price(2.5, 10.0, batch_discount=0.5)  # of the shipped table
    assert "2027-01-31" in prices.date
    assert load(own, batch=True).price("gpt-4") == Price(1.125, 2.25)  # 1.5 × 0.75, 3 × 0.75


def test_where_a_call_goes_decides(own: Path) -> None:
    shipped, mine = load(), load(own)
    assert shipped.of(call("gpt-4")) == Price(30.0, 60.0, 0.5)
    for url in (
        "http://127.0.0.1:8000/v1",
        "https://api.openai.com.example.org/v1",
        "https://x/api.openai.com",
        "what",
    ):
        assert shipped.of(call("gpt-4", url=url)) is None  # another server's gpt-4
    assert mine.of(call("judge", url="http://127.0.0.1:8000/v1")) == Price(2.0, 8.0)
    assert shipped.of(Call("sha256:00ff chat:01", "smollm2", (), 0.0, 8)) is FREE  # loaded here


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("models: [", "not YAML"),
        ("[]", "the file: "),
        ("", "the file: "),
        ("date: 2027-01-31\nmodels: {}", "source: "),
        ("date: 2026-99-99\nsource: x\nmodels: {}", "not YAML"),
        (OWN + "  a: {input: -1, output: 2}", "models.a.input: "),
        (OWN + "  a: {input: .inf, output: 2}", "models.a.input: "),
        (OWN + "  a: {input: no, output: 2}", "models.a.input: "),  # false, to YAML
        (OWN + "  a: {input: 1}", "models.a.output: missing"),
        (OWN + "  a: {input: 1, output: 2, ouput: 3}", "models.a.ouput: unknown key"),
        (OWN + "  a: {input: 1, output: 2}\nbatch_discount: 2", "batch_discount: "),
    ],
)
def test_a_bad_file_is_told_with_file_and_key(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: 1 error\n  {said}")


def test_all_errors_of_a_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("source: x\nmodels: {a: {input: no}}")
    with pytest.raises(ConfigError, match="3 errors") as error:
        load(path)
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "date",
        "models.a.input",
        "models.a.output",
    ]


def test_a_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("S2EVAL_PRICES", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match=r"none\.yaml.*\n.*No such file"):
        load()


# --- costs -----------------------------------------------------------------------------------------------------


def test_the_cost_of_a_reply() -> None:
    price = Price(30.0, 60.0)
    assert cost(price, Reply("a", tokens_in=1000, tokens_out=500)) == pytest.approx(0.06)  # (30000 + 30000) / 1e6
    assert cost(price, Reply("a", tokens_in=1000)) is None  # the server did not count: not known, not nothing
    assert cost(None, Reply("a", tokens_in=1, tokens_out=1)) is None
    assert cost(FREE, Reply("a")) == 0.0


def test_the_cost_of_a_call(own: Path) -> None:
    reply = Reply("a", tokens_in=1000, tokens_out=500)
    assert load().cost(call("gpt-4"), reply) == pytest.approx(0.06)
    assert load(batch=True).cost(call("gpt-4"), reply) == pytest.approx(0.03)
    assert load().cost(call("gpt-4"), Failure("server", "500")) == 0.0
    assert load().cost(call("unheard-of"), reply) is None


@given(st.text(), st.integers(0, 10_000))
def test_nothing_is_dearer_than_the_maximum(text: str, max_tokens: int) -> None:
    """A tokenizer of bytes makes at most a token a byte, and a reply has at most `max_tokens`."""
    price = Price(1e6, 1e6)  # 1 USD a token
    assert (
        max_usd(call(text=text, max_tokens=max_tokens), price)
        >= len(text.encode("utf-8", "surrogatepass")) + max_tokens
    )


# --- estimates -------------------------------------------------------------------------------------------------


def test_an_estimate() -> None:
    known = Prices("", "", {"gpt-4": Price(30.0, 60.0)})
    one = estimate([call("gpt-4"), call("gpt-4", text="x" * 800)], known)
    assert (one.calls, one.tokens_in, one.tokens_out_at_most) == (2, 316, 200)  # 400/4 + 8 + 800/4 + 8; 100 + 100
    assert one.usd_low == pytest.approx(1200 / 5.5 * 30e-6)
    assert one.usd_at_most == pytest.approx((1200 / 2 + 2 * 8) * 30e-6 + 200 * 60e-6)
    assert one.usd_low < 316 * 30e-6 < one.usd_at_most


def test_models_of_unknown_price_are_named() -> None:
    known = Prices("", "", {"gpt-4": Price(30.0, 60.0)})
    calls = [call("a"), call("gpt-4"), call("b"), call("a")]
    assert estimate(calls, known).unknown == ("a", "b")
    assert estimate(calls, known).usd_at_most == estimate(calls[1:2], known).usd_at_most
    assert estimate([], known) == Estimate(0, 0, 0, 0.0, 0.0)


def test_the_estimate_against_real_prompts(shared_data: Path) -> None:
    """Of GPT-4's 800 judge prompts on MT-bench, counted by a tokenizer that is coarser than OpenAI's."""
    tokenizers = pytest.importorskip("tokenizers")
    import json

    from s2eval.models.sources.embedded import folder

    tokenizer = tokenizers.Tokenizer.from_file(str(folder("smollm2") / "tokenizer.json"))
    lines = (shared_data / "mtbench" / "model_judgment" / "gpt-4_single.jsonl").read_text().splitlines()[::8]
    prompts = [json.loads(line)["user_prompt"] for line in lines]
    tokens = sum(len(tokenizer.encode(prompt).ids) for prompt in prompts)
    calls = [call(text=prompt) for prompt in prompts]
    assert estimate(calls, load()).tokens_in == pytest.approx(tokens, rel=0.2)
    for one, prompt in zip(calls, prompts, strict=True):
        assert len(tokenizer.encode(prompt).ids) * 30e-6 <= max_usd(one, Price(30.0, 0.0))
