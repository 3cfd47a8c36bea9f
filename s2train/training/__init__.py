"""Training: SFT, reward models and DPO on TRL; see `docs/training.md`.

    config + overrides → job (data, tokenizer, checks; no weights) → forecast, or run → a checkpoint folder

`stages.STAGES` names the stages; each has a configuration, its rows, a trainer and what it measures at the end.
"""
