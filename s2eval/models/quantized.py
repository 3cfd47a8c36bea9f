"""A model that bitsandbytes quantises while it is loaded, as QLoRA trains on it.

transformers 5 takes no `load_in_4bit` any more, only a `BitsAndBytesConfig`; lm-eval 0.4.13 still hands the former on.
"""

from __future__ import annotations

from typing import Any

_PREFIXES = ("load_in_", "bnb_4bit_", "llm_int8_")


def configuration(arguments: dict[str, Any]) -> Any:
    """The `BitsAndBytesConfig` that some arguments of `from_pretrained` describe; None where they ask for none.

    Args:
        arguments: those of the configuration are taken out: `load_in_4bit`, `bnb_4bit_quant_type`, ….
    """
    taken = {name: arguments.pop(name) for name in list(arguments) if name.startswith(_PREFIXES)}
    if not taken.get("load_in_4bit") and not taken.get("load_in_8bit"):
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(**taken)


def widen(model: Any) -> Any:
    """A model in 4 bits with the weights that it was trained with, computing in fp32; the given one is used up.

    Its linears are dequantised in the type that it was loaded in, and then all weights get fp32. As a rule that type is
    the one of the arithmetic in training (`bnb_4bit_compute_dtype`), which bitsandbytes 0.50 dequantises in. Here, with
    activations in fp32, it would give other numbers.

    Linears that were made of GPT-2's `Conv1D` keep saying so in `source_cls`.
    """
    from transformers.utils import logging

    sources = {name: module.source_cls for name, module in model.named_modules() if hasattr(module, "source_cls")}
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # it tells in which type it dequantises
    try:
        model = model.dequantize()
    finally:
        logging.set_verbosity(before)
    for name, source in sources.items():
        model.get_submodule(name).source_cls = source
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.float()
    return model
