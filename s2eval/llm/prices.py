"""What calls cost: a dated price table that the user can override, and the estimate made before anything is called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812  (`date` is the name of a field below)
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from s2eval import paths
from s2eval.errors import ConfigError
from s2eval.files import yamlfile
from s2eval.llm.calls import Call, Outcome, Reply, Usage

VARIABLE = "S2EVAL_PRICES"
_HOST = "api.openai.com"  # whose prices the shipped table has
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")

# Characters a token: the usual rule of thumb for English. On every fourth of the 800 judge prompts of MT-bench, with
# SmolLM2's tokenizer of 49,152 tokens (OpenAI's are larger and need fewer), it is 4.4 in the median, 2.8 to 5.1 in nine
# of ten, and 1.7 at least, where a prompt is full of digits.
CHARACTERS = 4.0
_FEW, _MANY = 5.5, 2.0  # characters and bytes a token, for the bounds of an estimate
_MESSAGE = 8  # tokens around one message (roles, separators); OpenAI's chat format has 3 or 4, and 3 before the reply


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; `batch_discount` is the share of it that the Batch API saves, 0.5 = half."""

    input: float
    output: float
    batch_discount: float = 0.0

    def usd(self, tokens_in: float, tokens_out: float) -> float:
        """Of that many tokens."""
        return (tokens_in * self.input + tokens_out * self.output) / 1e6


FREE = Price(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by model: `shipped` at OpenAI's own address, `own` from the user's file first and at every address.

    With `batch` the calls go through the Batch API.
    """

    date: str
    source: str
    shipped: Mapping[str, Price]
    own: Mapping[str, Price] = field(default_factory=dict[str, Price])
    batch: bool = False

    def price(self, model: str, *, known_host: bool = True) -> Price | None:
        """Of a model, or of the dated snapshot of one (`gpt-4o-2024-08-06` → `gpt-4o`); None = not known.

        At another server than OpenAI's own (not `known_host`) only the user's file counts.
        """
        for table in (self.own, self.shipped) if known_host else (self.own,):
            for name in (model, _SNAPSHOT.sub("", model)):
                if price := table.get(name):
                    share = 1 - price.batch_discount
                    return Price(price.input * share, price.output * share) if self.batch else price
        return None

    def of(self, call: Call) -> Price | None:
        """Of a call: free where the model is loaded here, None where the price is not known."""
        if not call.remote:
            return FREE
        try:  # openai:gpt-4@https://api.openai.com/v1
            host = urlsplit(f"http{call.service.partition('@http')[2]}").hostname
        except ValueError:
            host = None
        return self.price(call.model, known_host=host == _HOST)

    def cost(self, call: Call, outcome: Outcome) -> float | None:
        """USD of a reply by the tokens that the server counted; None where price or tokens are not known."""
        return cost(self.of(call), outcome) if isinstance(outcome, Reply) else 0.0


def cost(price: Price | None, usage: Usage | Reply | None) -> float | None:
    """USD of one attempt; None where its price is not known, or its tokens are not and cost something."""
    if price == FREE:
        return 0.0
    if price is None or usage is None or usage.tokens_in is None or usage.tokens_out is None:
        return None
    return price.usd(usage.tokens_in, usage.tokens_out)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What calls will cost, before any is made.

    Attributes:
        tokens_in: by `CHARACTERS` a token.
        tokens_out_at_most: if every reply is as long as it may be.
        usd_low: few tokens in, nothing out.
        usd_at_most: many tokens in, replies as long as they may be, no retries.
        unknown: models without a known price; their calls are not in the sums of USD.
    """

    calls: int
    tokens_in: int
    tokens_out_at_most: int
    usd_low: float
    usd_at_most: float
    unknown: tuple[str, ...] = ()


def estimate(calls: Iterable[Call], prices: Prices) -> Estimate:
    """Estimate from the length of the texts."""
    n = tokens_in = tokens_out = 0
    low = most = 0.0
    unknown: dict[str, None] = {}
    for call in calls:
        n += 1
        characters, size = _lengths(call)
        around = _MESSAGE * len(call.messages)
        tokens_in += round(characters / CHARACTERS) + around
        tokens_out += call.max_tokens
        price = prices.of(call)
        if price is None:
            unknown[call.model] = None
        else:
            low += price.usd(characters / _FEW, 0)
            most += price.usd(size / _MANY + around, call.max_tokens)
    return Estimate(n, tokens_in, tokens_out, low, most, tuple(unknown))


def money(usd: float) -> str:
    """USD with as many digits as such sums need.

    >>> money(0.0), money(0.00001), money(0.009), money(12.3456)
    ('0 USD', 'less than 0.0001 USD', '0.0090 USD', '12.35 USD')
    """
    if usd <= 0:
        return "0 USD"
    return "less than 0.0001 USD" if usd < 0.00005 else f"{usd:.4f} USD" if usd < 1 else f"{usd:.2f} USD"


def describe(estimate: Estimate) -> str:
    """What calls will cost, as a part of a sentence.

    >>> describe(Estimate(8, 0, 0, 0.2, 1.5)), describe(Estimate(8, 0, 0, 0.0, 0.0))
    ('0.20 to 1.50 USD', '0 USD')
    >>> describe(Estimate(8, 0, 0, 0.0, 0.0, ("judge",)))
    'cost unknown (no price is known for judge; give one with --prices)'
    """
    sums = f"{estimate.usd_low:.2f} to {money(estimate.usd_at_most)}" if estimate.usd_at_most else "0 USD"
    if not estimate.unknown:
        return sums
    why = f"no price is known for {', '.join(estimate.unknown)}; give one with --prices"
    return f"{sums} and more ({why})" if estimate.usd_at_most else f"cost unknown ({why})"


def max_usd(call: Call, price: Price) -> float:
    """USD that one attempt costs at most: a token has at least one byte (so it is in every byte-level tokenizer)."""
    return price.usd(_lengths(call)[1] + _MESSAGE * len(call.messages), call.max_tokens)


def _lengths(call: Call) -> tuple[int, int]:
    """Characters, and bytes of UTF-8, of all that is sent as text."""
    texts = [message.content for message in call.messages] + [call.schema or ""]
    return sum(map(len, texts)), sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


# --- the files -------------------------------------------------------------------------------------------------


_Usd = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]  # strict: YAML reads `no` as false
_Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class _Line(BaseModel, extra="forbid", frozen=True):
    input: _Usd
    output: _Usd
    batch_discount: _Share | None = None


class _Table(BaseModel, extra="forbid", frozen=True):
    date: Date
    source: str = Field(min_length=1)
    batch_discount: _Share = 0.0
    models: dict[str, _Line]

    def prices(self) -> dict[str, Price]:
        general = self.batch_discount
        return {
            name: Price(line.input, line.output, general if line.batch_discount is None else line.batch_discount)
            for name, line in self.models.items()
        }


def load(own: Path | None = None, *, batch: bool = False) -> Prices:
    """The shipped table, and before it the user's: `own`, else the file that `S2EVAL_PRICES` names.

    Raises:
        ConfigError: a file is missing or malformed, with every error in it.
    """
    shipped = _read(paths.judges() / "prices.yaml")
    if own is None and (path := os.environ.get(VARIABLE)):
        own = Path(path).expanduser()
    if own is None:
        return Prices(shipped.date.isoformat(), shipped.source, shipped.prices(), batch=batch)
    users = _read(own)
    dates = f"{shipped.date.isoformat()}; {own}: {users.date.isoformat()}"
    return Prices(dates, f"{shipped.source} {own}: {users.source}", shipped.prices(), users.prices(), batch)


def _read(path: Path) -> _Table:
    document = yamlfile.read(path)
    if not isinstance(document.value, dict):
        raise ConfigError(str(path), ["the file: expected date:, source: and models:"])
    return yamlfile.check(document.value, _Table, str(path), document.marks)
