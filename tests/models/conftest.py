"""Models and adapters that several files of tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models.trained import lora, train


@pytest.fixture(scope="session")
def tied_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with one matrix for embeddings and head, as SmolLM2 and other small models have it."""
    from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

    out = tmp_path_factory.mktemp("models") / "tied"
    config = AutoConfig.from_pretrained(tiny_model)
    config.tie_word_embeddings = True
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(out)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(out)
    return out


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """A LoRA of the tiny model's queries and values: 2 layers × 2 modules × (A, B) = 8 tensors."""
    train(tiny_model, lora(), tmp_path / "adapter")
    return tmp_path / "adapter"
