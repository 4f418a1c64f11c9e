"""The figures that judge a synthetic table: fidelity, detection, utility and copies."""
