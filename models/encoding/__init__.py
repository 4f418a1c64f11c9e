"""Columns as small integer codes and back: one codec per kind of column."""
