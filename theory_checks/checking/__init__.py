"""From a claim to its verdict: what a claim is, how its inputs are searched, how it is decided."""
