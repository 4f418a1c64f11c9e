"""Did a release give away those it was learned from? Attacks, controls, and one verdict."""
