"""Adapters merged into their base, one tensor at a time: `s2train merge`.

    what is asked (job) → adapters read and checked (adapters), the model's outline (outline) → which tensor gets what
    (plan) → arithmetic (delta, qdq) → written, resumable (stream) → the rest of the folder (folder) → compared (proof)

Files are read and written by `header` and `shards`; nothing is mapped into memory, so memory in use is memory held.
"""
