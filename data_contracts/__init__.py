"""What data promise: contracts, the nouns all share, and the proof that a table keeps them."""
