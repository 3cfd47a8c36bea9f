"""What merging an adapter changed: the merges made, their weights and predictions measured beside the trained model."""
