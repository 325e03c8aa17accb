"""Seeds: every draw comes from a generator of its own, made from a seed sequence, never from a
global one."""

import numpy as np
import torch

# Where a CPU generator's state holds the words of its Mersenne Twister, 8 bytes each.
MT_BEGIN, MT_WORDS = 24, 624


def generator_from(
    seed: np.random.SeedSequence, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A torch.Generator on the device, seeded from the seed sequence.

    On the CPU torch uses only 32 bits of a seed for its Mersenne Twister, so that some two of 2^16
    streams would coincide with probability about 0.4. All 624 words of its state are therefore set
    from the seed sequence, as NumPy does.
    """
    generator = torch.Generator(device).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
    if generator.device.type == "cpu":
        state = generator.get_state()
        words = seed.generate_state(MT_WORDS, np.uint32).astype(np.uint64)
        state[MT_BEGIN : MT_BEGIN + 8 * MT_WORDS] = torch.from_numpy(words.view(np.uint8))
        generator.set_state(state)
    return generator


def child(seed: np.random.SeedSequence, *path: int) -> np.random.SeedSequence:
    """The seed sequence below this one along a path; unlike `spawn`, this does not change the
    parent."""
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *path))
