"""Concepts: what a layer knows of things that people have words for, and what the output makes of it."""
