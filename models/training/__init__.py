"""The one training loop that every network of the house goes through."""
