"""Profiles: how much evidence a run gathers. A new one is one more row of PROFILES."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Profile:
    """All sizes that differ between quick and thorough runs.

    name: as --theory-profile has it.
    duration: how long a run takes on two cores, in words.
    inputs: factor on the number of inputs that a claim tries.
    clusters, experts: K, and M = J, on the ladder.
    exploration: (d, n, replicates) of the points that are trained to T_1.
    examples: (n, ...) at d = 64 trained to T_1, and example_replicates of each.
    whole_runs: (d, n, replicates, sigma_0/eta) of the points that are trained to T = distance/eta.
    around: how many points around the ladder, of five, are trained to T_1.
    around_whole: how many, of two, are trained to T = 8/eta, at eta = sigma_0/around_fineness.
    two_clusters: (n, replicates, sigma_0/eta) of a small problem that is trained to T = 6/eta.
    replicates: of a point around the ladder.
    control_replicates: of each row of a necessity control, and of each kind of run in L.3.
    control_fineness: sigma_0/eta of the necessity controls.
    coarse_replicates: of the control with a coarse eta.
    symmetric_replicates: of the sign tests of A.6.
    parallel: (n, ...) at which displacements of linear experts are compared (L.1).
    published: (n, replicates, T) of the paper's setting 1 (L.2, L.4).
    classifier_steps: gradient steps of a single expert whose error is bounded from below (S.3).
    error_resolution: resolution of its error.
    learner_steps: gradient steps of a single expert that is to succeed (S.5).
    frozen_eta: eta of the mixtures with a frozen router (S.7), trained to T = 8/eta.
    """

    name: str
    duration: str
    inputs: float
    clusters: int
    experts: int
    exploration: tuple[tuple[int, int, int], ...]
    examples: tuple[int, ...]
    example_replicates: int
    whole_runs: tuple[tuple[int, int, int, int], ...]
    distance: float
    around: int
    around_whole: int
    around_fineness: int
    two_clusters: tuple[int, int, int]
    replicates: int
    control_replicates: int
    control_fineness: int
    coarse_replicates: int
    symmetric_replicates: int
    parallel: tuple[int, ...]
    published: tuple[int, int, int]
    classifier_steps: int
    error_resolution: float
    learner_steps: int
    frozen_eta: float

    def __str__(self) -> str:
        return self.name


STANDARD = Profile(
    name="standard",
    duration="about 3 minutes",
    inputs=1.0,
    clusters=4,
    experts=8,
    exploration=((64, 4000, 32), (128, 4000, 32), (256, 4000, 32)),
    examples=(250, 1000, 4000),
    example_replicates=32,
    # From the same 64 pilot seeds at sigma_0/50, /32 and /25 the same number of replicates, two,
    # had a clear cluster that went elsewhere, and none training errors after T/2. At d = 128 it may
    # matter: 4 of 40 had such a cluster at /32, none of 24 at /50.
    whole_runs=((64, 1500, 32, 32), (128, 1500, 8, 50)),
    distance=8.0,
    around=3,
    around_whole=1,
    around_fineness=32,  # 0 of 64 pilot replicates failed, as at sigma_0/50
    two_clusters=(1000, 16, 25),
    replicates=8,
    control_replicates=16,
    control_fineness=16,
    coarse_replicates=104,  # the fewest that can refute a share of 1/6; cheap, as T is short
    symmetric_replicates=128,
    parallel=(250, 1000),
    published=(1000, 24, 250),
    classifier_steps=300,
    error_resolution=0.005,
    learner_steps=400,
    frozen_eta=0.04,
)
QUICK = replace(
    STANDARD,
    name="quick",
    duration="about 1 minute",
    inputs=0.3,
    clusters=3,  # fewer clusters need fewer examples
    experts=6,
    # Sixteen replicates: the fewest at both ends of a trend that can refute it.
    exploration=((64, 3000, 16), (256, 2000, 16)),
    examples=(180, 3000),
    example_replicates=16,
    # Of 128 pilot replicates two had a clear cluster that went elsewhere and two training errors
    # after T/2, against 4 and 3 of 64 with K = 4, M = J = 8 and eta = sigma_0/50, which takes three
    # times as long.
    whole_runs=((64, 1000, 24, 16),),
    distance=6.0,
    around=2,
    around_whole=0,
    around_fineness=50,
    # Of 128 pilot replicates one was an exception to the prediction of N.3, and none to N.1, N.2,
    # N.5, N.6 and A.3; none had a clear cluster whose experts are not aligned (A.1).
    two_clusters=(1000, 12, 16),
    control_replicates=8,
    symmetric_replicates=64,
    parallel=(180, 750),
    published=(1000, 10, 250),
    classifier_steps=100,
    error_resolution=0.01,
    learner_steps=300,
    frozen_eta=0.08,
)
DEEP = replace(
    STANDARD,
    name="deep",
    duration="45 to 60 minutes",
    inputs=4.0,
    exploration=(
        (64, 4000, 64),
        (128, 4000, 64),
        (256, 4000, 64),
        (1024, 4096, 32),
        (4096, 16_384, 24),
    ),
    examples=(250, 1000, 4000, 16_000),
    example_replicates=64,
    whole_runs=((64, 4000, 64, 50), (128, 4000, 32, 50), (256, 4000, 32, 50), (1024, 4096, 8, 50)),
    around=5,
    around_whole=2,
    around_fineness=50,
    two_clusters=(2000, 64, 50),
    replicates=32,
    control_replicates=64,
    control_fineness=50,
    coarse_replicates=208,
    symmetric_replicates=512,
    parallel=(250, 1000, 4000, 16_000),
    published=(16_000, 64, 500),
    classifier_steps=1000,
    error_resolution=0.0025,
    learner_steps=1000,
    frozen_eta=0.02,
)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (QUICK, STANDARD, DEEP)}


def named(given: str | Profile) -> Profile:
    """The profile of this name, or one of the user's own.

    Raises ValueError that lists the names there are, and for a Profile of one's own under one of
    them: its report would be taken for another's.
    """
    name = str(given)
    if isinstance(given, Profile) and PROFILES.get(name, given) == given:
        return given
    if isinstance(given, Profile):
        raise ValueError(f"profile {name!r}: is built in with other sizes; rename yours")
    if name not in PROFILES:
        raise ValueError(f"profile {name!r}: there are {', '.join(PROFILES)}")
    return PROFILES[name]
