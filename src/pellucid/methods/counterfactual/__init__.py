"""What would have to be different? The nearest row that the model answers otherwise, within what may change."""
