"""Proximal policy optimisation of one quantised base that plays every role: policy, reference, value and rewards."""
