"""`arguments:` of a training: every field of TRL's configuration by its own name, but those that are decided here."""

from __future__ import annotations

import dataclasses
import typing
import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, create_model

from s2eval.errors import ConfigError
from s2train.training import trackers

_FOLDER = "`out:` says where; checkpoints lie in a hidden folder beside it"
_TOKENS = "rows are encoded before TRL sees them; prompts are what `model.template` says"
_LOADING = "the model is loaded as `model:` says"
_PUBLISH = "publish the folder when it is complete: hf upload"

# Field → why it is not taken at all.
DECIDED: Mapping[str, str] = {
    "output_dir": _FOLDER,
    "resume_from_checkpoint": "the same command resumes where it stopped; --fresh restarts",
    "model_init_kwargs": _LOADING,
    "trust_remote_code": _LOADING,
    "chat_template_path": _TOKENS,
    "eos_token": _TOKENS,
    "pad_token": _TOKENS,
    "dataset_text_field": _TOKENS,
    "dataset_kwargs": _TOKENS,
    "remove_unused_columns": _TOKENS,
    "label_names": _TOKENS,
    "truncation_mode": "`data.overlong` says what becomes of rows that are too long",
    "push_to_hub": _PUBLISH,
    "hub_model_id": _PUBLISH,
    "hub_token": _PUBLISH,
    "save_only_model": "a killed training could not resume",
    "do_train": "not a command of its own here",
    "do_predict": "not a command of its own here",
}

# Field → which of its values are not taken, and why.
_REFUSED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "packing_strategy": (
        lambda value: value != "bfd",
        "{value!r}: only 'bfd' keeps every answer whole and beside its own question; 'wrapped' and 'bfd_split' "
        "cut answers apart, so that the loss is another one",
    ),
    "completion_only_loss": (lambda value: value is False, "the loss is on the answer only"),
    "assistant_only_loss": (bool, "rows are no conversations; the loss is on the answer only anyway"),
    "save_total_limit": (
        lambda value: value is not None and value < 2,
        "at least 2, so that a complete checkpoint is there whenever the process is killed",
    ),
    "train_sampling_strategy": (
        lambda value: value == "batch_rebalance",
        "{value!r}: its order after a resume is not known to be the same; use 'group_by_length'",
    ),
    **{name: (lambda _: True, f"not to be set: {why}") for name, why in DECIDED.items()},
}
_STRATEGIES = ("eval_strategy", "save_strategy", "logging_strategy")


def _check(value: object, name: str) -> object:
    refused, why = _REFUSED[name]
    if refused(value):
        raise ValueError(why.format(value=value))
    return value


@cache
def model_of(kind: type) -> type[BaseModel]:
    """A pydantic model with the fields of TRL's dataclass, by their types; `2e-4`, a text to YAML, is a number here."""
    hints = typing.get_type_hints(kind)
    fields: dict[str, Any] = {}
    for name in (field.name for field in dataclasses.fields(kind) if field.init):
        annotation: Any = hints[name] | None
        if name in _STRATEGIES:  # `no` is false to YAML
            annotation = Annotated[annotation, BeforeValidator(lambda value: "no" if value is False else value)]
        if name in _REFUSED:
            annotation = Annotated[annotation, AfterValidator(partial(_check, name=name))]
        if name == "report_to":
            annotation = Annotated[annotation, AfterValidator(trackers.known)]
        fields[name] = (annotation, None)
    settings = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, protected_namespaces=())
    return create_model(f"{kind.__name__}Arguments", __config__=settings, **fields)


def build(kind: type, values: Mapping[str, object], where: str) -> Any:
    """TRL's configuration; ConfigError if its own checks refuse the combination."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of names that TRL itself still uses
            return kind(**values)
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigError(where, [f"arguments: {' '.join(str(error).split())}"]) from error
