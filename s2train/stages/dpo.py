"""Direct preference optimisation, by TRL's DPOTrainer.

-log σ(β (log π(y_w|x)/π_ref(y_w|x) - log π(y_l|x)/π_ref(y_l|x))): Rafailov et al. 2023 (arXiv 2305.18290), equation 7;
TRL's other losses by `arguments.loss_type`. The reference π_ref is where training starts: of a new adapter the base,
which is the model with its adapter switched off; of an adapter to start from, a frozen copy of it.
"""

from __future__ import annotations

from functools import partial
from pkgutil import resolve_name

from s2train.data.preferences import PreferenceLine
from s2train.training import rows
from s2train.training.config import Generations, Overlong, Preferences, StageConfig
from s2train.training.job import TrlTraining
from s2train.training.preparation import files_of_aspect


class DpoPreferences(Preferences):
    """Questions with a chosen and a rejected answer.

    Attributes:
        overlong: pairs of which one answer with its prompt has more than `arguments.max_length` tokens.
    """

    overlong: Overlong = "drop"


class Dpo(StageConfig):
    """`s2train dpo`."""

    data: DpoPreferences
    generations: Generations = Generations.model_validate({})


TRAINING = TrlTraining(
    name="dpo",
    summary="direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) on pairs of answers",
    config=Dpo,
    task="CAUSAL_LM",
    line=PreferenceLine,
    arguments=partial(resolve_name, "trl:DPOConfig"),
    defaults={"eval_strategy": "epoch", "logging_steps": 10},
    files=files_of_aspect,
    rows=lambda settings, encoder, lines: rows.preferred(encoder, lines, settings.data.aspect),
    trainer=partial(resolve_name, "s2train.training.trainers:Dpo"),
    sequences_per_row=2,
    reference=True,
)
