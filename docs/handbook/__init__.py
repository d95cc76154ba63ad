"""The documentation site: pages made of the cards, docstrings and fields of methods and metrics, pictures drawn by running them.

`python docs/make.py` writes everything below `build/`; nothing that is made here is kept in the repository.
"""
