"""Which merge to use, in a paragraph that says how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from s2eval.records import Estimate
from s2eval.report.compare import LEVEL, Compared, Comparison
from s2eval.stats import Difference
from s2train.merge.effect.records import BF16, QDQ, TRAINED, Effect, Predictions

_MANY = 1000  # beyond that, a ratio is mere rounding
_SHOWN = 4  # rows of tasks in a sentence


def advise(effect: Effect) -> str:
    """The recommendation: its first word is `qdq`, `bf16` or `either`.

    The merge that is nearer to what was trained; but the other one where tests of quality (loss on answers, tasks) show
    that to be better and none the opposite.
    """
    predictions, compared = effect.measured.predictions, effect.compared
    if not effect.quantization:
        return (
            "bf16: the adapter was trained on the base as it is. qdq would put a quantisation error in that it never "
            f"saw, so it was not made. On {_extent(predictions)} the merged model is at a KL of "
            f"{_kl(predictions, BF16)} nats from the trained one. "
            + _tasks(_rows(compared, {TRAINED, BF16}), "the merged model and the trained one")
        )
    near, why = _nearer(predictions)
    rows = _rows(compared, {QDQ, BF16})
    quality = [
        *_answers(predictions),
        _tasks(rows, "the two merges") if compared else "No tasks were evaluated (--tasks).",
    ]
    better = {_smaller(predictions.excess_loss()), *(_better(row) for row in rows if _shown(row))} - {""}
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


def _smaller(difference: Difference | None) -> str:
    """The merge with the smaller mean in bf16 less qdq; "" where no difference was shown."""
    if difference is None or difference.estimate.value is None or difference.p is None or difference.p > LEVEL:
        return ""
    return QDQ if difference.estimate.value > 0 else BF16


def _nearer(predictions: Predictions) -> tuple[str, str]:
    """The merge that is nearer to the trained distribution, "" where none was shown to be; and why."""
    excess = predictions.excess()
    near = _smaller(excess)
    if excess is None or excess.p is None or not near:
        return "", (
            f"on {_extent(predictions)} no difference was shown in the distance to the trained distribution "
            f"(KL {_kl(predictions, QDQ)} nats with qdq, {_kl(predictions, BF16)} with bf16)"
        )
    far = BF16 if near == QDQ else QDQ
    small, large = (_divergence(predictions, method).value or 0.0 for method in (near, far))
    times = large / small if small > 0 else math.inf
    nearer = f"{_digits(times)} times nearer" if times < _MANY else f"more than {_MANY:,} times nearer"
    return near, (
        f"on {_extent(predictions)} its distribution is {nearer} to the trained one "
        f"(KL {_kl(predictions, near)} nats against {_kl(predictions, far)}, {_p(excess.p)})"
    )


def _answers(predictions: Predictions) -> Iterator[str]:
    """Which merge the given answers are more likely under: nearer to the trained model is not yet better."""
    excess = predictions.excess_loss()
    if excess is None or excess.estimate.value is None or excess.p is None:
        return
    losses = f"{predictions.loss(QDQ).value:.4f} nats a token with qdq, {predictions.loss(BF16).value:.4f} with bf16"
    if method := _smaller(excess):
        yield f"The answers that were given are likelier with {method} ({losses}, {_p(excess.p)})."
        return
    limit = excess.detectable()
    detectable = f"; {_digits(limit)} would have been detected" if limit else ""
    yield f"Neither was shown to make the answers that were given likelier ({losses}{detectable})."


def _tasks(rows: Sequence[Comparison], models: str) -> str:
    if not rows:
        return f"On no task could {models} be compared."
    shown = [row for row in rows if _shown(row)]
    if shown:
        listed = [
            f"{row.model} {'above' if (row.difference.estimate.value or 0) > 0 else 'below'} {row.baseline} by "
            f"{abs(row.difference.estimate.value or 0):.{row.digits}f} {row.unit}".rstrip()
            + f" on {_name(row)}"
            for row in shown
        ]
        return f"On the tasks a difference of {models} was shown in {len(shown)} of {len(rows)} rows: {_some(listed)}."
    detectable = [text for row in rows if (text := _detectable(row))]
    return f"On the tasks no difference of {models} was shown" + (f"; {_some(detectable)}." if detectable else ".")


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
    rows = [row for table in (compared.tables if compared else ()) for row in table.rows]
    return sorted((row for row in rows if {row.baseline, row.model} == names), key=lambda row: row.unit == "")


def _shown(row: Comparison) -> bool:
    return row.adjusted is not None and row.adjusted <= LEVEL and bool(row.difference.discordant)


def _better(row: Comparison) -> str:
    """The model with the better score; "" where no end of the scale is better."""
    higher = (row.difference.estimate.value or 0) > 0
    return "" if not row.better else row.model if higher == (row.better == "high") else row.baseline


def _some(texts: Sequence[str]) -> str:
    return "; ".join([*texts[:_SHOWN], *(["…"] if len(texts) > _SHOWN else [])])


def _divergence(predictions: Predictions, method: str) -> Estimate:
    pair = predictions.pair(TRAINED, method)
    assert pair is not None  # every merge is compared with what was trained
    return predictions.divergence(pair)


def _kl(predictions: Predictions, method: str) -> str:
    estimate = _divergence(predictions, method)
    if estimate.value is None:
        return "unknown"
    if estimate.ci_low is None or estimate.ci_high is None:
        return _digits(estimate.value)
    return f"{_digits(estimate.value)} [{_digits(estimate.ci_low)}, {_digits(estimate.ci_high)}]"


def _extent(predictions: Predictions) -> str:
    tokens, prompts = len(predictions.clusters), len(predictions.prompts)
    return f"{tokens:,} tokens of {prompts} prompt{'s' * (prompts != 1)}"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _digits(value: float) -> str:
    """Two significant digits, without an exponent where it can be read without."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
