"""The token trie: every shared prefix of a call's requests computed once, in batches without padding."""
