"""Subjects with some of their ingredients put back to the paper's. On the command line
`theory_checks.faults.put_back:my_variant:MINE@gate+loss` is my_variant:MINE with the paper's gate
and loss."""

from collections.abc import Iterable
from dataclasses import replace

from core import PAPER, Subject
from theory_checks.checking.run import load_subject


def differing(subject: Subject) -> tuple[str, ...]:
    """The ingredients that are not the paper's."""
    paper = vars(PAPER)
    return tuple(name for name, value in vars(subject).items() if value is not paper[name])


def put_back(subject: str, ingredients: Iterable[str]) -> str:
    """The name of the subject, module:NAME, with these ingredients put back."""
    return f"{__name__}:{subject}@{'+'.join(sorted(ingredients))}"


def __getattr__(name: str) -> Subject:
    """The Subject with this name.

    Raises ValueError if there is no such subject or ingredient.
    """
    subject, mark, ingredients = name.rpartition("@")
    if not mark:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    paper, names = vars(PAPER), ingredients.split("+")
    for unknown in set(names) - paper.keys():
        raise ValueError(f"no ingredient {unknown!r}; there are {', '.join(paper)}")
    return replace(load_subject(subject), **{name: paper[name] for name in names})
