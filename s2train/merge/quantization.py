"""How bitsandbytes quantised the base in training: as recorded, as the user says, or as usual."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from s2eval.errors import UsageError
from s2train.checkpoint import Quantization
from s2train.merge.adapters import Adapter
from s2train.weights.shards import Weights
from s2train.weights.tensors import FLOATS

_FIELDS = {  # of BitsAndBytesConfig → of Quantization
    "bnb_4bit_quant_type": "type",
    "bnb_4bit_use_double_quant": "double",
    "bnb_4bit_compute_dtype": "compute_dtype",
    "llm_int8_skip_modules": "skip",
}


def choose(base: Path, adapters: Sequence[Adapter], options: Mapping[str, object]) -> tuple[Quantization, str]:
    """The quantisation of the training, and the file that records it; "" where none does.

    `options` are fields of `Quantization` that the user set; they override the recorded ones.
    """
    recorded = list(_recorded(base, adapters))
    if any(how != recorded[0][0] for how, _ in recorded):
        listed = "; ".join(
            f"{where}: {how.type}, double {how.double}, blocks of {how.blocksize}" for how, where in recorded
        )
        raise UsageError(f"the base was not quantised in the same way each time ({listed})")
    how, where = recorded[0] if recorded else (Quantization(), "")
    return _validated({**how.model_dump(), **options}), where


def _recorded(base: Path, adapters: Sequence[Adapter]) -> Iterator[tuple[Quantization, str]]:
    recorded = False
    for adapter in adapters:
        if adapter.checkpoint and adapter.checkpoint.quantization:
            yield adapter.checkpoint.quantization, f"{adapter.name}/s2train.json"
            recorded = True
        elif isinstance(config := adapter.config.get("quantization_config"), dict):
            yield _translated(config, where := f"{adapter.name}/adapter_config.json"), where
            recorded = True
    if not recorded and (config := _of_base(base)) is not None:
        yield _translated(config, where := f"{base.name}/config.json"), where


def _of_base(base: Path) -> Mapping[str, object] | None:
    config = json.loads((base / "config.json").read_text(encoding="utf-8")).get("quantization_config")
    return config if isinstance(config, dict) else None


def describe(how: Quantization) -> str:
    """`NF4, blocks of 64, double quantisation`."""
    return f"{how.type.upper()}, blocks of {how.blocksize}, {'double' if how.double else 'single'} quantisation"


def loading_arguments(how: Quantization) -> dict[str, object]:
    """Arguments of `BitsAndBytesConfig`, and of lm-eval's models, that load a base in blocks of 64 so quantised."""
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": how.type,
        "bnb_4bit_use_double_quant": how.double,
        **({} if how.skip is None else {"llm_int8_skip_modules": list(how.skip)}),
    }


def _translated(config: Mapping[str, object], where: str) -> Quantization:
    if not config.get("load_in_4bit"):
        method = "LLM.int8()" if config.get("load_in_8bit") else config.get("quant_method", "another method")
        raise UsageError(f"{where}: the base was quantised with {method}; --method qdq is for bitsandbytes' 4 bits")
    fields = {_FIELDS[key]: value for key, value in config.items() if key in _FIELDS and value is not None}
    if "compute_dtype" in fields:
        fields["compute_dtype"] = str(fields["compute_dtype"]).removeprefix("torch.")
    return _validated({"type": "fp4", **fields}, f"{where}: quantization_config: ")  # BitsAndBytesConfig's default


def _validated(fields: Mapping[str, object], where: str = "") -> Quantization:
    try:
        return Quantization.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{where}{first['loc'][0]} {first['input']!r}: {first['msg']}") from None


def check_unquantized(base: Path, weights: Weights) -> None:
    """Raise UsageError if the base's own weights are quantised."""
    config = _of_base(base)
    packed = [name for name, (dtype, _) in weights.shapes().items() if dtype not in FLOATS]
    if config is not None and packed:
        method = config.get("quant_method", "an unknown method")
        raise UsageError(
            f"base {base.name}: its weights are quantised with {method} ({packed[0]}). Merge into the model that it "
            "was made of; --method qdq quantises by itself"
        )
