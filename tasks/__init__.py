"""Steps with an outside effect: load, call one thing below, store, return a reference."""

import os

# Threads that wait for work would otherwise spin: beside other work on the same cores, a training
# takes several times as long. Read by the OpenMP runtime of torch and scikit-learn as it loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
