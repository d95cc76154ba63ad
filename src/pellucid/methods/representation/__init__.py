"""Representations: what a layer holds, and how layers and networks compare."""
