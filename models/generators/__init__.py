"""Generators: each learns a dataset and makes rows like it under the same contract."""
