"""The claims of the paper as tests, and what turns their samples into verdicts."""
