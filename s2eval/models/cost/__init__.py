"""What an evaluation takes: tokens, arithmetic, memory; counted without a model's weights."""
