"""Mechanisms of differential privacy, what they cost, and domains that reveal nothing."""
