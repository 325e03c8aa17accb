"""From Python, as in a notebook: check a variant and the paper's Subject, and look at what differs.

python first_report.py
"""

from my_variant import GAUSSIAN

import theory_checks

CLAIMS = ["R.2", "R.5"]

# %% The paper's own Subject: both claims hold.
paper = theory_checks.check(claims=CLAIMS, profile="quick")
print("paper:", {name: paper[name].verdict for name in CLAIMS})

# %% The variant: Lemma 5.1 survives, the law of the noisy choice does not.
variant = theory_checks.check(GAUSSIAN, claims=CLAIMS, profile="quick")
print("variant:", {name: variant[name].verdict for name in CLAIMS})

# %% What a violated claim has to say. In a notebook, `variant` alone shows the whole page.
worst = variant["R.5"]
print(worst.statement)
print("observed", worst.observed, "against", worst.bound, "at", worst.worst_case)
print("again:", worst.command)
