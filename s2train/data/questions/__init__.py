"""Questions to passages, written by a language model (`writing`), checked (`checks`), and stored (`written`)."""
