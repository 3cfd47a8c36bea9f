"""Metrics of all answers of a run that their tasks do not measure, when the language models are released.

BERTScore is one: its encoder is loaded once, and embeds every reference once. Families of other packages are too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, partial

from s2eval import store
from s2eval.config import RunConfig
from s2eval.metrics import METRICS, MetricFamily, Scorer, require_encoder
from s2eval.metrics.answers import FAMILIES
from s2eval.run.plan import Unit

Guard = Callable[[str, Callable[[], None]], None]


def chosen_families(config: RunConfig) -> list[MetricFamily]:
    """The families of the configuration that are measured after the models."""
    return [METRICS[name] for name in config.metrics if METRICS[name] not in FAMILIES]


def check_encoder(units: Sequence[Unit], config: RunConfig) -> None:
    """Raise an error now if an encoder will be needed and is missing."""
    if any(family.needs == "encoder" for family in chosen_families(config)) and any(unit.answers for unit in units):
        require_encoder(config.bertscore.encoder, config.bertscore.num_layers)


def score_answers(units: Sequence[Unit], config: RunConfig, *, guard: Guard, log: Callable[[str], None]) -> None:
    """Write a file of scores into the folder of every finished unit with answers that has none of the same inputs.
    The units of one task follow one another, so that its references are still embedded for the next model. `guard`
    is given a unit's name and its work, and decides what a failure means for the others."""
    with ExitStack() as stack:

        @cache
        def scorer(device: str | None) -> Scorer:
            options = config.bertscore
            return stack.enter_context(
                Scorer(options.encoder, num_layers=options.num_layers, batch_size=options.batch_size, device=device)
            )

        finished = [unit for unit in units if unit.answers and unit.done]
        for family in chosen_families(config):
            bertscore = family.needs == "encoder"
            label = "BERTScore" if bertscore else family.name
            for unit in sorted(finished, key=lambda unit: unit.task.task_name):
                work = partial(_score, unit, family, config, scorer if bertscore else None, log)
                guard(f"{unit.name} ({label})", work)


def _score(
    unit: Unit,
    family: MetricFamily,
    config: RunConfig,
    scorer: Callable[[str | None], Scorer] | None,
    log: Callable[[str], None],
) -> None:
    """Of one unit; `scorer` = by BERTScore, on a device."""
    options = config.bertscore
    samples = store.read_unit(unit.folder, scores=False).samples
    answers = [sample.answer or "" for sample in samples]
    references = [sample.reference or "" for sample in samples]
    how: dict[str, object] = {"family": family.name}
    if scorer:
        how = {"encoder": options.encoder, "layers": options.num_layers}
    elif family.version > 1:
        how["version"] = family.version
    key = store.key_of({"unit": unit.key, "answers": answers, **how})
    path = unit.folder / (store.BERTSCORE if scorer else store.scores_file(family.name))
    if store.key_in(path) == key:
        return
    label = f"BERTScore ({options.encoder})" if scorer else family.name
    log(f"{label} of {unit.name}, {len(answers)} answers")
    if scorer:
        loaded = scorer(unit.entry.device)
        triples = [(score.precision, score.recall, score.f1) for score in loaded.score(answers, references)]
        content = {"encoder": options.encoder, "hash": loaded.setting, "scores": triples}
        content |= {store.WITHOUT_REASONING: True} if any(sample.reasoning for sample in samples) else {}
    else:
        assert family.score is not None
        stripped = [answer.strip() for answer in answers]
        content = {"scores": [dict(values) for values in family.score(stripped, references)]}
    with store.explain_os_errors(path):
        store.write_sealed(path, {"key": key, **content})
