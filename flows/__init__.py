"""Composition: parameters in, tasks in order, references out; and the command line."""
