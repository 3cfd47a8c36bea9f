"""Fixtures that several folders of tests share. No test needs the network or a GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# One thread a process: two test workers with two threads each wait for one another most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that the project does not carry: `S2_SHARED_DATA`, else `../shared/data`."""
    path = Path(os.environ.get("S2_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"real data is not here: {path} (set S2_SHARED_DATA)")
    return path


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of the embedded model; made in the user's cache on first use (about a minute)."""
    from s2eval.models.embedded import folder

    return folder("smollm2")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Path:
    """A Llama of two small layers with random weights and SmolLM2's tokenizer, without a chat template.

    It answers nonsense, fast: for tests of what happens around a model.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    tokenizer.chat_template = None
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=8192,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    out = tmp_path_factory.mktemp("models") / "tiny"
    LlamaForCausalLM(config).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder in the layout of `S2_DATA_DIR`: the demonstration's data, and a `full` set of its two others."""
    out = tmp_path_factory.mktemp("data") / "S2_DATA_DIR"
    shutil.copytree(ROOT / "tasks" / "demo" / "data", out)
    (out / "full").mkdir()
    pairs = [(out / name / "validation.jsonl").read_text(encoding="utf-8") for name in ("eli5", "wiki")]
    (out / "full" / "validation.jsonl").write_text("".join(pairs), encoding="utf-8")
    return out


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `HF_HOME` whose cache holds a tiny random encoder under the name roberta-large.

    With it, and without a network, the `s2_*` question-answering tasks run as they stand.
    """
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizer

    home = tmp_path_factory.mktemp("hub")
    repository, commit = home / "hub" / "models--roberta-large", "0" * 40
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    pieces = ByteLevelBPETokenizer()
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tasks" / "demo" / "data").glob("*/*.jsonl")]
    pieces.train_from_iterator(
        texts, vocab_size=600, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False
    )
    pieces.save_model(str(snapshot))
    files = {"vocab": str(snapshot / "vocab.json"), "merges": str(snapshot / "merges.txt")}
    RobertaTokenizer(**files, model_max_length=512).save_pretrained(snapshot)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=600, hidden_size=8, num_hidden_layers=24, num_attention_heads=1, intermediate_size=8
    )
    config.max_position_embeddings = 514
    RobertaModel(config).save_pretrained(snapshot)
    return home


@pytest.fixture(scope="session")
def plain_lm_eval(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, data_dir: Path, hub: Path
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The literal `lm_eval --tasks 's2_*'` on two documents of each task, and the folder that it wrote."""
    out = tmp_path_factory.mktemp("lm_eval")
    command = [str(Path(sys.executable).parent / "lm_eval"), "--model", "s2", "--tasks", "s2_*", "--limit", "2"]
    # shorter than in earnest only to save time: the answers, and the contexts by cutting them on the left
    command += ["--model_args", f"pretrained={tiny_model},max_length=512", "--gen_kwargs", "max_gen_toks=8"]
    command += ["--output_path", str(out), "--log_samples"]
    environment = {"S2_DATA_DIR": str(data_dir), "S2_MMLU_SUBJECTS": "present", "HF_HOME": str(hub)}
    finished = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, cwd=out)
    return finished, out
