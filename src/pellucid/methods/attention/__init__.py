"""Methods that read the attention of transformers."""
