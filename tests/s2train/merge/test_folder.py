"""The merged model's folder: an ordinary one, with configuration, tokenizer, card and `s2train.json`."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from s2eval import prompts
from s2eval.errors import DataError, UsageError
from s2eval.models import parse
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Quantization, Source
from s2train.merge import folder
from tests.s2train.merge import tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The tests' tiny model with its tokenizer, in bf16."""
    out = tmp_path_factory.mktemp("bases") / "tiny"
    shutil.copytree(tiny_model, out)
    tiny.load(tiny_model).bfloat16().save_pretrained(out)
    (out / "LICENSE").write_text("free")
    return out


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    return tiny.train(tiny.load(base), tmp_path_factory.mktemp("adapters") / "lora")


def test_an_ordinary_model(base: Path, adapter: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tiny.merged(base, adapter, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "LICENSE",
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "s2train.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert parse(str(tmp_path / "out")).pretrained == str(tmp_path / "out")  # s2eval takes it
    before, after = (json.loads((one / "config.json").read_text()) for one in (base, tmp_path / "out"))
    assert after == before
    text = "Why is the sky blue?"
    assert AutoTokenizer.from_pretrained(tmp_path / "out")(text) == AutoTokenizer.from_pretrained(base)(text)
    assert tiny.load(tmp_path / "out").dtype == torch.bfloat16


def test_what_it_says_of_itself(base: Path, adapter: Path, tmp_path: Path) -> None:
    job = tiny.merged(base, adapter, tmp_path / "out", "qdq", options={"double": True})
    made = checkpoint.read(tmp_path / "out")
    assert made is not None
    weights = (tmp_path / "out" / "model.safetensors").read_bytes()
    files = {"model.safetensors": hashlib.sha256(weights).hexdigest()}
    assert made == job.checkpoint.model_copy(update={"files": files})
    assert (made.kind, made.method, made.template) == ("merge", "qdq", "s2")
    assert made.base is not None
    assert made.base.name == "tiny"
    assert [one.name for one in made.adapters] == ["lora"]
    assert made.quantization == Quantization(double=True)
    assert made.versions.keys() >= {"python", "torch", "transformers", "peft", "bitsandbytes", "s2eval"}
    card = (tmp_path / "out" / "README.md").read_text()
    for text in ("# tiny + lora", "NF4", "double quantisation", made.base.sha256, made.adapters[0].sha256, "`s2`"):
        assert text in card
    for path in (tmp_path / "out").iterdir():  # no folder of this machine
        if path.suffix in (".json", ".md") and path.name not in ("tokenizer.json",):
            assert str(tmp_path) not in path.read_text()
            assert str(base.parent) not in path.read_text()


def test_the_template_of_the_training_goes_along(base: Path, adapter: Path, tmp_path: Path) -> None:
    trained = shutil.copytree(adapter, tmp_path / "adapter")
    recipe = {"stage": "sft", "seed": 7}
    checkpoint.write(trained, Checkpoint(template="s2-space", kind="sft", recipe=recipe, data={"eli5": "a" * 64}))
    tiny.merged(base, trained, tmp_path / "out")
    assert prompts.trained_with(tmp_path / "out") == "s2-space"
    made = checkpoint.read(tmp_path / "out")
    assert made is not None
    assert (made.recipe, made.data) == (recipe, {"eli5": "a" * 64})
    tiny.merged(base, trained, tmp_path / "other", template="s2")
    assert prompts.trained_with(tmp_path / "other") == "s2"


def test_without_a_word_from_the_training_it_is_what_s2eval_takes(base: Path, adapter: Path, tmp_path: Path) -> None:
    """`chat` where the tokenizer has a chat template, else `s2` (docs/templates.md)."""
    assert tiny.job(base, adapter, tmp_path / "out").checkpoint.template == "s2"
    chatty = shutil.copytree(base, tmp_path / "chatty")
    (chatty / "chat_template.jinja").write_text("{{ messages }}")
    assert tiny.job(chatty, adapter, tmp_path / "out").checkpoint.template == "chat"


def test_the_adapters_tokenizer_goes_before_the_bases(base: Path, adapter: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    trained = shutil.copytree(adapter, tmp_path / "adapter")
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    tokenizer.save_pretrained(trained)
    tiny.merged(base, trained, tmp_path / "out")
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == tokenizer.chat_template


def test_a_classifier_learns_which_token_is_padding(base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    bare = shutil.copytree(base, tmp_path / "bare")
    (bare / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    adapter = tiny.train(tiny.load(bare, classifier=True, num_labels=1), tmp_path / "reward", task_type="SEQ_CLS")
    tiny.merged(bare, adapter, tmp_path / "out")
    model = tiny.load(tmp_path / "out", classifier=True)
    assert model.config.pad_token_id == 0  # "<pad>", the tokenizer's first
    with torch.no_grad():  # a batch with padding, which a model without that token refuses
        batch = torch.tensor([[5, 6, 7], [5, 0, 0]])
        alone = model(input_ids=torch.tensor([[5]])).logits
        assert torch.allclose(model(input_ids=batch, attention_mask=(batch != 0).long()).logits[1], alone, atol=1e-2)


def test_names_from_the_hubs_cache_are_hub_ids(base: Path, adapter: Path, tmp_path: Path) -> None:
    cached = tmp_path / "models--org--tiny" / "snapshots" / "0123abc"
    shutil.copytree(base, cached)
    job = tiny.merged(cached, adapter, tmp_path / "out")
    assert job.checkpoint.base is not None
    assert job.checkpoint.base.name == "org/tiny"
    assert "base_model: org/tiny" in (tmp_path / "out" / "README.md").read_text()


# --- s2train.json ----------------------------------------------------------------------------------------------


def test_the_checkpoint_file_comes_back(tmp_path: Path) -> None:
    made = Checkpoint(
        template="fastchat:vicuna",
        kind="reward",
        base=Source(name="org/base", sha256="0" * 64),
        adapters=(Source(name="a", weight=0.5),),
        quantization=Quantization(type="fp4", skip=("lm_head",)),
        recipe={"lr": 1e-4},
        data={"train.jsonl": "1" * 64},
        versions={"torch": "2"},
        metrics={"loss": 1.5},
    )
    checkpoint.write(tmp_path, made)
    assert checkpoint.read(tmp_path) == made
    assert prompts.trained_with(tmp_path) == "fastchat:vicuna"
    assert checkpoint.read(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "broken JSON"),
        ("{}", "'template'"),
        ('{"template": null}', "'template'"),
        ('{"template": "s2", "methdo": "bf16"}', "'methdo'"),
        ('{"template": "s2", "base": {"name": "x", "sha256": "short"}}', "'base.sha256'"),
        ('{"template": "s2", "quantization": {"type": "int8"}}', "'quantization.type'"),
    ],
)
def test_a_broken_checkpoint_file_is_told_by_its_field(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "s2train.json").write_text(text)
    with pytest.raises(DataError, match=r"s2train\.json") as caught:
        checkpoint.read(tmp_path)
    assert told in str(caught.value)


def test_what_is_not_known_is_not_written(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, Checkpoint(template="s2"))
    assert json.loads((tmp_path / "s2train.json").read_text()) == {"template": "s2"}


def test_a_bases_own_quantization_is_not_claimed_of_the_merged_model(tmp_path: Path) -> None:
    config = folder.configuration(
        {"quantization_config": {"load_in_4bit": True}, "_name_or_path": "/secret", "x": 1},
        tiny_plan(),
        "LlamaForCausalLM",
        tmp_path,
    )
    assert config == {"x": 1, "architectures": ["LlamaForCausalLM"]}


def tiny_plan() -> Any:
    from s2train.merge.plan import Plan

    return Plan({}, 0, {}, (), (), 0)


def enlarged(source: Path, out: Path, **changes: Any) -> None:
    """A tokenizer with one token more, put into a folder."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(out)


def test_an_adapters_tokenizer_beyond_the_embeddings_is_left_out(base: Path, adapter: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    larger = Path(shutil.copytree(adapter, tmp_path / "larger"))
    enlarged(base, larger)
    job = tiny.merged(base, larger, tmp_path / "out")
    rows = tiny.tensors(tmp_path / "out")["model.embed_tokens.weight"].shape[0]
    assert len(AutoTokenizer.from_pretrained(larger)) == rows + 1
    assert len(AutoTokenizer.from_pretrained(tmp_path / "out")) == rows
    expected = f"the tokenizer of larger has {rows + 1:,} tokens, the merged embeddings {rows:,} rows"
    assert [note for note in job.notes if expected in note and "gets that of tiny" in note]


def test_no_tokenizer_takes_the_place_of_one_with_a_chat_template(base: Path, adapter: Path, tmp_path: Path) -> None:
    larger = Path(shutil.copytree(adapter, tmp_path / "larger"))
    enlarged(base, larger, chat_template="{{ messages }}")
    with pytest.raises(UsageError, match=r"larger: its tokenizer has 1,001 tokens, .* would have 1,000 rows"):
        tiny.job(base, larger, tmp_path / "out")


def test_a_bases_tokenizer_beyond_its_embeddings(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(base, tmp_path / "other"))
    enlarged(base, other)
    with pytest.raises(UsageError, match=r"other: its tokenizer has 1,001 tokens, .* would have 1,000 rows"):
        tiny.job(other, adapter, tmp_path / "out")
    fits = Path(shutil.copytree(adapter, tmp_path / "fits"))
    for path in base.glob("tokenizer*"):
        shutil.copyfile(path, fits / path.name)
    assert tiny.job(other, fits, tmp_path / "out").tokenizer == fits
