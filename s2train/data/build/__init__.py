"""From what was read to the sets of a folder: candidates → drafts → sets, with a manifest and a card."""
