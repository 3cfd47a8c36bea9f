"""What `import s2eval` offers, a file each; the commands are thin layers over the same functions.

`run` and `comparison` read results, `evaluating` makes them, `scores` measures texts, `judging` has answers judged.
"""
