"""Measures of quality, speed and memory; each prints JSON."""
