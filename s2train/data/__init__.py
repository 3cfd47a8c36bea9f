"""From raw records to `S2_DATA_DIR`: `{eli5,wiki,full}/{train,validation}.jsonl`.

    read (jsonl) → one record, one pair (eli5, wiki; rules) → side (split) → write whole (jsonl, build)

Everything between reading and writing is a pure function of one record, so that other engines can map it.
"""
