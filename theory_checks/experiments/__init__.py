"""What claims are tried on: problems, training runs, replicates, single experts, oracles."""
