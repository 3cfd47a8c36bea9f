"""`arguments:` of a training: every field of TRL's configuration by its own name, but those that are decided here."""

from __future__ import annotations

import dataclasses
import typing
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, create_model

from s2eval.errors import ConfigError
from s2train.training import trackers

_FOLDER = "`out:` says where; checkpoints lie in a hidden folder beside it"
_TOKENS = "rows are encoded before TRL sees them; prompts are what `model.template` says"
_LOADING = "the model is loaded as `model:` says"
_PUBLISH = "publish the folder when it is whole: hf upload"

# Field → why it is not taken at all.
DECIDED: Mapping[str, str] = {
    "output_dir": _FOLDER,
    "resume_from_checkpoint": "the same command goes on where it stopped; --fresh begins anew",
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
    "save_only_model": "a killed training could not go on",
    "do_train": "not a command of its own here",
    "do_predict": "not a command of its own here",
}


def _bfd(value: Any) -> Any:
    if value != "bfd":
        raise ValueError(
            f"{value!r}: only 'bfd' keeps every answer whole and beside its own question; 'wrapped' and 'bfd_split' "
            "cut answers apart, so that the loss is another one"
        )
    return value


def _on_answers(value: Any) -> Any:
    if value is False:
        raise ValueError("the loss is on the answer only")
    return value


def _not_conversational(value: Any) -> Any:
    if value:
        raise ValueError("rows are no conversations; the loss is on the answer only anyway")
    return value


def _two(value: Any) -> Any:
    if value is not None and value < 2:
        raise ValueError("at least 2, so that a whole checkpoint is there whenever the process is killed")
    return value


def _known_order(value: Any) -> Any:
    if value == "batch_rebalance":
        raise ValueError(f"{value!r}: its order after a resume is not known to be the same; use 'group_by_length'")
    return value


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "packing_strategy": _bfd,
    "completion_only_loss": _on_answers,
    "assistant_only_loss": _not_conversational,
    "report_to": trackers.known,
    "save_total_limit": _two,
    "train_sampling_strategy": _known_order,
}


def _word(value: Any) -> Any:
    """`no` is false to YAML."""
    return "no" if value is False else value


_STRATEGIES = ("eval_strategy", "save_strategy", "logging_strategy")


def _refuse(why: str) -> Callable[[Any], Any]:
    def check(_: Any) -> Any:
        raise ValueError(f"not to be set: {why}")

    return check


@cache
def model_of(kind: type) -> type[BaseModel]:
    """A pydantic model with the fields of TRL's dataclass, by their types; `2e-4`, a text to YAML, is a number here."""
    hints = typing.get_type_hints(kind)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.init:
            annotation: Any = hints[field.name] | None
            check = _refuse(DECIDED[field.name]) if field.name in DECIDED else _CHECKS.get(field.name)
            if field.name in _STRATEGIES:
                annotation = Annotated[annotation, BeforeValidator(_word)]
            fields[field.name] = (annotation if check is None else Annotated[annotation, AfterValidator(check)], None)
    settings = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, protected_namespaces=())
    return create_model(f"{kind.__name__}Arguments", __config__=settings, **fields)


def given(arguments: BaseModel) -> dict[str, Any]:
    """What the user set, by name, as JSON can hold it."""
    return arguments.model_dump(mode="json", exclude_unset=True)


def build(kind: type, values: Mapping[str, Any], where: str) -> Any:
    """TRL's configuration.

    Raises:
        ConfigError: its own checks refuse the combination.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of names that TRL itself still uses
            return kind(**values)
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigError(where, [f"arguments: {' '.join(str(error).split())}"]) from error
