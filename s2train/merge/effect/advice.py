"""Which merge to use, in a paragraph that says how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from s2eval.records import Estimate
from s2eval.report.compare import LEVEL, Compared, Comparison
from s2train.merge.effect.records import BF16, QDQ, TRAINED, Effect, Predictions

_MANY = 1000  # beyond that, how often is mere rounding
_SHOWN = 4  # rows of tasks in a sentence


def advise(effect: Effect) -> str:
    """The recommendation: its first word is `qdq`, `bf16` or `either`.

    The merge that is nearer to what was trained; but the other one where tests of quality (loss on answers, tasks) show
    that to be better and none the opposite.
    """
    predictions = effect.measured.predictions
    if not effect.quantization:
        return " ".join(["bf16: the adapter was trained on the base as it is.", *_alone(predictions, effect.compared)])
    excess = predictions.excess()
    if excess is None or excess.estimate.value is None or excess.p is None or excess.p > LEVEL:
        near, why = "", _undecided(predictions)
    else:
        near = QDQ if excess.estimate.value > 0 else BF16
        why = _nearer(predictions, near, excess.p)
    quality = [*_answers(predictions), *_tasks(effect.compared)]
    better = {*_likelier(predictions), *(_better(row) for row in _rows(effect.compared, {QDQ, BF16}) if _shown(row))}
    better.discard("")
    if len(better) != 1 or near in better:
        return " ".join([f"{near or 'either'}: {why}.", *quality])
    (choice,) = better
    if not near:
        return " ".join([f"{choice}: it was shown to be the better model here.", *quality, f"As to training, {why}."])
    return " ".join(
        [
            f"{choice}: it was shown to be the better model here, though it is not the one that was trained.",
            *quality,
            f"Nearest to what was trained is {near}: {why}.",
            "Take it where the model must stay what was trained and evaluated.",
        ]
    )


def _nearer(predictions: Predictions, choice: str, p: float) -> str:
    near, far = (_kl(predictions, method) for method in (choice, _other(choice)))
    assert near.value is not None
    assert far.value is not None
    times = far.value / near.value if near.value > 0 else math.inf
    nearer = f"{_digits(times)} times nearer" if times < _MANY else f"more than {_MANY:,} times nearer"
    told = f"KL {_interval(near)} nats against {_interval(far)}, {_p(p)}"
    return f"on {_extent(predictions)} its distribution is {nearer} to the trained one ({told})"


def _undecided(predictions: Predictions) -> str:
    near, far = (_kl(predictions, method) for method in (QDQ, BF16))
    told = f"KL {_interval(near)} nats with qdq, {_interval(far)} with bf16"
    return f"on {_extent(predictions)} no difference was shown in the distance to the trained distribution ({told})"


def _alone(predictions: Predictions, compared: Compared | None) -> Iterator[str]:
    yield f"qdq would put a quantisation error in that it never saw, so it was not made. On {_extent(predictions)}"
    yield f"the merged model is at a KL of {_interval(_kl(predictions, BF16))} nats from the trained one."
    rows = _rows(compared, {TRAINED, BF16})
    yield from _told(rows, "the merged model and the trained one")


def _answers(predictions: Predictions) -> Iterator[str]:
    """Which merge the given answers are more likely under: nearer to the trained model is not yet better."""
    excess = predictions.excess_loss()
    if excess is None or excess.estimate.value is None or excess.p is None:
        return
    losses = f"{predictions.loss(QDQ).value:.4f} nats a token with qdq, {predictions.loss(BF16).value:.4f} with bf16"
    for method in _likelier(predictions):
        yield f"The answers that were given are likelier with {method} ({losses}, {_p(excess.p)})."
        return
    limit = excess.detectable()
    told = f"; {_digits(limit)} would have been detected" if limit else ""
    yield f"Neither was shown to make the answers that were given likelier ({losses}{told})."


def _likelier(predictions: Predictions) -> list[str]:
    """The merge that was shown to have the smaller loss on the answers, if one was."""
    excess = predictions.excess_loss()
    if excess is None or excess.estimate.value is None or excess.p is None or excess.p > LEVEL:
        return []
    return [QDQ if excess.estimate.value > 0 else BF16]


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _tasks(compared: Compared | None) -> Iterator[str]:
    if compared is None:
        yield "No tasks were evaluated (--tasks)."
        return
    yield from _told(_rows(compared, {QDQ, BF16}), "the two merges")


def _told(rows: Sequence[Comparison], who: str) -> Iterator[str]:
    if not rows:
        yield f"On no task could {who} be compared."
        return
    shown = [row for row in rows if _shown(row)]
    if shown:
        listed = [
            f"{row.model} {'above' if (row.difference.estimate.value or 0) > 0 else 'below'} {row.baseline} by "
            f"{_amount(row)} on {_name(row)}"
            for row in shown
        ]
        yield f"On the tasks a difference of {who} was shown in {len(shown)} of {len(rows)} rows: {_some(listed)}."
    else:
        found = [_detectable(row) for row in rows]
        told = [words for words in found if words]
        yield f"On the tasks no difference of {who} was shown" + (f"; {_some(told)}." if told else ".")


def _detectable(row: Comparison) -> str:
    if row.difference.discordant == 0:
        return f"{_name(row)}: the same on every document"
    if not row.detectable:
        return ""
    return f"{_name(row)}: {_digits(row.detectable)} {row.unit}".rstrip() + " would have been detected"


def _name(row: Comparison) -> str:
    return row.what.removesuffix(", %") or f"{row.task}, {row.metric}"


def _rows(compared: Compared | None, names: set[str]) -> list[Comparison]:
    """Those of two models; in points first, as they are the ones that are read."""
    tables = compared.tables if compared else ()
    rows = [row for table in tables for row in table.rows if {row.baseline, row.model} == names]
    return sorted(rows, key=lambda row: row.unit == "")


def _shown(row: Comparison) -> bool:
    return row.adjusted is not None and row.adjusted <= LEVEL and bool(row.difference.discordant)


def _better(row: Comparison) -> str:
    """The model with the better score; "" where no end of the scale is better."""
    higher = (row.difference.estimate.value or 0) > 0
    return "" if not row.better else row.model if higher == (row.better == "high") else row.baseline


def _amount(row: Comparison) -> str:
    return f"{abs(row.difference.estimate.value or 0):.{row.digits}f} {row.unit}".rstrip()


def _some(words: Sequence[str]) -> str:
    return "; ".join([*words[:_SHOWN], *(["…"] if len(words) > _SHOWN else [])])


def _other(choice: str) -> str:
    return BF16 if choice == QDQ else QDQ


def _kl(predictions: Predictions, method: str) -> Estimate:
    pair = predictions.pair(TRAINED, method)
    assert pair is not None  # every merge is compared with what was trained
    return predictions.divergence(pair)


def _extent(predictions: Predictions) -> str:
    tokens, prompts = len(predictions.clusters), len(predictions.prompts)
    return f"{tokens:,} tokens of {prompts} prompt{'s' * (prompts != 1)}"


def _interval(one: Estimate) -> str:
    if one.value is None:
        return "unknown"
    if one.ci_low is None or one.ci_high is None:
        return _digits(one.value)
    return f"{_digits(one.value)} [{_digits(one.ci_low)}, {_digits(one.ci_high)}]"


def _digits(value: float) -> str:
    """Two significant digits, without an exponent where it can be read without."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
