"""How bitsandbytes quantised the base in training: what is written down, what the user says, what is usual."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from s2eval.errors import UsageError
from s2train.checkpoint import Quantization
from s2train.merge.adapters import Adapter
from s2train.weights.shards import Weights
from s2train.weights.tensors import FLOATS

_KEYS = {  # BitsAndBytesConfig's → ours
    "bnb_4bit_quant_type": "type",
    "bnb_4bit_use_double_quant": "double",
    "bnb_4bit_compute_dtype": "compute_dtype",
    "llm_int8_skip_modules": "skip",
}


def choose(base: Path, adapters: Sequence[Adapter], options: Mapping[str, Any]) -> tuple[Quantization, str]:
    """The quantisation of the training, and where it is known from.

    Args:
        base: the base's folder.
        adapters: trained on it.
        options: fields of `Quantization` that the user gave; they go before everything else.

    Raises:
        UsageError: the adapters were trained on different ones, or on one that is not in 4 bits; there is no such
            option.
    """
    recorded = list(_recorded(base, adapters))
    if any(how != recorded[0][0] for how, _ in recorded):
        listed = "; ".join(
            f"{where}: {how.type}, double {how.double}, blocks of {how.blocksize}" for how, where in recorded
        )
        raise UsageError(f"the base was not quantised in the same way each time ({listed})")
    how, where = recorded[0] if recorded else (Quantization(), "")
    try:
        return Quantization.model_validate({**how.model_dump(), **options}), where
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{first['loc'][0]} {first['input']!r}: {first['msg']}") from None


def _recorded(base: Path, adapters: Sequence[Adapter]) -> Iterator[tuple[Quantization, str]]:
    anything = False
    for adapter in adapters:
        if adapter.made and adapter.made.quantization:
            yield adapter.made.quantization, f"{adapter.name}/s2train.json"
            anything = True
        elif isinstance(about := adapter.config.get("quantization_config"), Mapping):
            yield _translated(about, where := f"{adapter.name}/adapter_config.json"), where
            anything = True
    if not anything and isinstance(about := of_base(base), Mapping):
        yield _translated(about, where := f"{base.name}/config.json"), where


def of_base(base: Path) -> Mapping[str, Any] | None:
    """`quantization_config` of the base's config.json."""
    return json.loads((base / "config.json").read_text(encoding="utf-8")).get("quantization_config")


def describe(how: Quantization) -> str:
    """`NF4, blocks of 64, double quantisation`."""
    return f"{how.type.upper()}, blocks of {how.blocksize}, {'double' if how.double else 'single'} quantisation"


def _translated(about: Mapping[str, Any], where: str) -> Quantization:
    if not about.get("load_in_4bit"):
        method = "LLM.int8()" if about.get("load_in_8bit") else about.get("quant_method", "another method")
        raise UsageError(f"{where}: the base was quantised with {method}; --method qdq is for bitsandbytes' 4 bits")
    ours: dict[str, Any] = {_KEYS[key]: value for key, value in about.items() if key in _KEYS and value is not None}
    if "compute_dtype" in ours:
        ours["compute_dtype"] = str(ours["compute_dtype"]).removeprefix("torch.")
    try:
        return Quantization.model_validate({"type": "fp4", **ours})  # BitsAndBytesConfig's default
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(
            f"{where}: quantization_config: {first['loc'][0]} {first['input']!r}: {first['msg']}"
        ) from None


def check_unquantized(base: Path, weights: Weights) -> None:
    """Raise UsageError, naming the method, if the base's weights are quantised already."""
    about = of_base(base)
    packed = [name for name, place in weights.places().items() if place.entry.dtype not in FLOATS]
    if isinstance(about, Mapping) and packed:
        method = about.get("quant_method", "an unknown method")
        raise UsageError(
            f"base {base.name}: its weights are quantised with {method} ({packed[0]}). Merge into the model that it "
            "was made of; --method qdq quantises by itself"
        )
