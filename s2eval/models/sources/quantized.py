"""A model that bitsandbytes quantises while it is loaded, as QLoRA trains on it.

transformers 5 takes no `load_in_4bit` any more, only a `BitsAndBytesConfig`; lm-eval 0.4.13 still passes the former.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from s2eval.errors import PrerequisiteError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import BitsAndBytesConfig, PreTrainedModel

_PREFIXES = ("load_in_", "bnb_4bit_", "llm_int8_")
Model = TypeVar("Model", bound="PreTrainedModel")


def configuration(arguments: dict[str, Any]) -> BitsAndBytesConfig | None:
    """The configuration that some arguments of `from_pretrained` describe, taken out of them; None for none."""
    options = {name: arguments.pop(name) for name in list(arguments) if name.startswith(_PREFIXES)}
    if not options.get("load_in_4bit") and not options.get("load_in_8bit"):
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(**options)


def dequantize(model: Model) -> Model:
    """The model with ordinary linears, in the type that bitsandbytes dequantises in; the argument is used up.

    As transformers' `model.dequantize()`, but with the numbers of `flat` on every processor.
    """
    weights = {name: flat(module.weight) for name, module in _linears(model)}
    model = model.dequantize()
    for name, weight in weights.items():
        model.get_submodule(name).weight.data = weight
    return model


def flat(weight: Any) -> Tensor:
    """A matrix in 4 bits, dequantised as one row: out × in.

    On CPUs with AVX-512, bitsandbytes 0.50 gives wrong numbers for rows that are no integer number of blocks.
    """
    from bitsandbytes import functional

    state = weight.quant_state
    shape, state.shape = state.shape, state.shape.__class__([state.shape.numel()])
    try:
        return functional.dequantize_4bit(weight.data, state).view(shape)
    finally:
        state.shape = shape


def use_exact_kernels(model: nn.Module) -> None:
    """Keep bitsandbytes' linears from two of its shortcuts on CPUs with AVX-512 (0.50).

    In evaluation mode they would pack their weights again and round the scales to bf16, and training would continue
    with those; that is switched off. Raises PrerequisiteError for a model that needs `flat`: its forward pass does
    without.
    """
    from bitsandbytes import functional

    for name, module in _linears(model):
        module.support_avx512bf16_for_cpu = False
        weight, state = module.weight, module.weight.quant_state
        if weight.device.type != "cpu" or not state.shape[1] % state.blocksize:
            continue
        if not functional.dequantize_4bit(weight.data, state).equal(flat(weight)):
            raise PrerequisiteError(
                f"{name} has {state.shape[1]} inputs, no multiple of {state.blocksize}: on this processor bitsandbytes "
                "computes wrong numbers for it. Train without quantisation, or on a GPU"
            )


def _linears(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Name and module of each linear in 4 bits."""
    for name, module in model.named_modules():
        if getattr(getattr(module, "weight", None), "quant_state", None) is not None:
            yield name, module


def widen(model: Model) -> Model:
    """A model in 4 bits with the weights that it was trained with, computing in fp32; the argument is used up.

    Its linears are dequantised in the type that it was loaded in, and then all weights get fp32. As a rule that type is
    the one of the arithmetic in training (`bnb_4bit_compute_dtype`), which bitsandbytes 0.50 dequantises in; with
    activations in fp32 it would give other numbers. Linears that were made of GPT-2's `Conv1D` keep their `source_cls`.
    """
    from s2eval.weights import quiet

    sources = {name: module.source_cls for name, module in model.named_modules() if hasattr(module, "source_cls")}
    with quiet(bars=True):
        model = dequantize(model)
    for name, source in sources.items():
        model.get_submodule(name).source_cls = source
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.float()
    return model
