"""Makes the oracles beside the tests importable. The folder must not become a package: it would be
a second `core`."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)
