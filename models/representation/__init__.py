"""Codes that keep what declared tasks need, and the attacks that say what else they tell."""
