"""Proof and measurement on a GPU: ``python -m bench.gpu --out DIR``."""
