"""From raw records to `S2_DATA_DIR`: `{eli5,wiki,full}/{train,validation}.jsonl`, and preferences (`layout`).

    inputs → one record, one pair (eli5, wiki; rules) → candidates → filters, near-duplicates, questions (drafts)
    → sides (clusters, split) → contamination → written at once (build), with a manifest and a card

Every step before the sides is a pure function of one record or pair, which an `engine` maps.
"""
