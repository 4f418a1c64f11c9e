"""Steps with an outside effect: load, call one thing below, store, return a reference."""
