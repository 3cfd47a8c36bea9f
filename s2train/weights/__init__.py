"""Weights as they lie on disk, for training, merging and labelling.

`location`: where a model that a user named lies. `header`, `shards`: which tensors its files hold, and their
fingerprint. `tensors`: their bytes as torch's tensors. Whether files are complete and fill a model: `s2eval.weights`.
"""
