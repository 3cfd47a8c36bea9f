"""BERTScore of all answers of a run, with one encoder, when the language models are gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, partial

from s2eval import store
from s2eval.config import BertscoreOptions
from s2eval.metrics import Scorer
from s2eval.run.plan import Unit

Guard = Callable[[str, Callable[[], None]], None]


def score_answers(units: Sequence[Unit], config: BertscoreOptions, *, guard: Guard, say: Callable[[str], None]) -> None:
    """Write BERTSCORE into the folder of every unit that has answers, is done and has none of the same inputs.

    The encoder is loaded once (once a device), and the references are embedded once: the units of one task follow
    one another, so that they are still there for the next model.

    Args:
        guard: is given a unit's name and its work; decides what a failure means for the others.
    """
    with ExitStack() as stack:

        @cache
        def scorer(device: str | None) -> Scorer:
            one = Scorer(config.encoder, num_layers=config.num_layers, batch_size=config.batch_size, device=device)
            return stack.enter_context(one)

        for unit in sorted(units, key=lambda unit: unit.task.task_name):
            if unit.answers and unit.done:
                guard(f"{unit.name} (BERTScore)", partial(_score_unit, unit, config, scorer, say))


def _score_unit(
    unit: Unit, config: BertscoreOptions, scorer: Callable[[str | None], Scorer], say: Callable[[str], None]
) -> None:
    samples = store.read_unit(unit.folder, bertscore=False).samples
    answers = [sample.answer or "" for sample in samples]
    references = [sample.reference or "" for sample in samples]
    inputs = {"unit": unit.key, "answers": answers, "encoder": config.encoder, "layers": config.num_layers}
    key = store.key_of(inputs)
    path = unit.folder / store.BERTSCORE
    if store.key_in(path) == key:
        return
    say(f"BERTScore ({config.encoder}) of {unit.name}, {len(answers)} answers")
    one = scorer(unit.entry.device)
    triples = [(score.precision, score.recall, score.f1) for score in one.score(answers, references)]
    with store.explain_os_errors(path):
        content = {"key": key, "encoder": config.encoder, "hash": one.setting, "scores": triples}
        content |= {store.WITHOUT_REASONING: True} if any(sample.reasoning for sample in samples) else {}
        store.write_sealed(path, content)
