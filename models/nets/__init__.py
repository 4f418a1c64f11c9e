"""Plain torch modules with keyword-only arguments; no training, no data frames."""
