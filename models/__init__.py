"""The science: encodings, nets, training, generators, evaluation. Knows nothing of Prefect."""
