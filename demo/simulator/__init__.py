"""Kiosks and HQ in one process under one seed: the product's own code on a line, a disk and a clock that fail as real ones do."""
