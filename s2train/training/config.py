"""What the YAML of every stage may say; each adds its own in `s2train.stages`, and TRL's under `arguments:`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from s2train.data.preferences import Aspect

Overlong = Literal["drop", "truncate"]


class Section(BaseModel):
    """A part of a configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Lora(Section):
    """The adapter's shape; defaults as QLoRA's paper has them (Dettmers et al. 2023, arXiv 2305.14314).

    Attributes:
        r: rank.
        alpha: the change is scaled by alpha / r.
        dropout: of what goes into the adapter.
        target_modules: names of linear layers, or all but the head.
        rslora: scale by alpha / √r instead.
        dora: weight-decomposed.
    """

    r: int = Field(64, ge=1)
    alpha: int = Field(16, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    rslora: bool = False
    dora: bool = False


class Quantize(Section):
    """How the base is quantised with `method: qlora`.

    Attributes:
        type: of number.
        double: whether scales are quantised as well.
        storage: what 4-bit numbers lie in; the numbers are the same. FSDP can split only floating types, and wants all
            weights in one: that of `dtype`.
    """

    type: Literal["nf4", "fp4"] = "nf4"
    double: bool = True
    storage: Literal["uint8", "bfloat16", "float16", "float32"] = "uint8"


class Model(Section):
    """What is trained.

    Attributes:
        base: folder, hub id or `smollm2`.
        adapter: folder or hub id of a LoRA adapter of that base to start from.
        method: qlora = LoRA on the base in 4 bits; lora; full = all weights.
        template: of prompts; default: the adapter's, else `s2`.
        dtype: of the weights; auto: by hardware.
        attention: transformers' `attn_implementation`.
    """

    base: str = Field(min_length=1)
    adapter: str | None = None
    method: Literal["qlora", "lora", "full"] = "lora"
    template: str | None = None
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    attention: str | None = None
    lora: Lora = Field(default_factory=lambda: Lora.model_validate({}))
    quantization: Quantize = Quantize()

    @model_validator(mode="after")
    def _one_way(self) -> Model:
        if self.adapter is not None and self.method == "full":
            raise ValueError("method full trains no adapter: merge it first (s2train merge), and name that as base")
        if self.adapter is not None and "lora" in self.model_fields_set:
            raise ValueError("the adapter that training starts from has its own shape: leave `lora` out")
        if "quantization" in self.model_fields_set and self.method != "qlora":
            raise ValueError("only method qlora quantises: leave `quantization` out")
        if "lora" in self.model_fields_set and self.method == "full":
            raise ValueError("method full trains no adapter: leave `lora` out")
        return self


def check_data(data: Section, key: str) -> None:
    """Raise ValueError where a `data:` names neither a folder nor, by the key, a training file."""
    if getattr(data, "dir", None) is None and getattr(data, key) is None:
        raise ValueError(f"names no data: `dir:` (made by s2train data) or `{key}:`")


class _Files(Section):
    """Which rows.

    Attributes:
        dir: folder that `s2train data` made.
        train, validation: files instead of those of `dir`.
        limit, validation_limit: the first rows only.
    """

    dir: str | None = None
    train: str | None = None
    validation: str | None = None
    limit: int | None = Field(None, ge=1)
    validation_limit: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _somewhere(self) -> _Files:
        check_data(self, "train")
        return self


class Pairs(_Files):
    """Questions with answers.

    Attributes:
        set: of `dir`.
        overlong: rows of more than `arguments.max_length` tokens: left out, or their answers cut.
    """

    set: Literal["eli5", "wiki", "full"] = "full"
    overlong: Overlong = "drop"


class Preferences(_Files):
    """Questions with a chosen and a rejected answer.

    Attributes:
        aspect: of `dir`.
    """

    aspect: Aspect = "helpfulness"


class Generations(Section):
    """A sample of answers at every evaluation, greedy, in `generations.jsonl`.

    Attributes:
        prompts: how many questions, the first of the validation side; 0 = none.
        max_tokens: of an answer.
    """

    prompts: int = Field(4, ge=0)
    max_tokens: int = Field(128, ge=1)


class StageConfig(Section):
    """What all stages have.

    Attributes:
        out: folder of the checkpoint.
        model, data: what, on what.
    """

    out: str = Field(min_length=1)
    model: Model
