"""The project's settings with a broker that loses, doubles or delays the wake-ups of drivers (F8)."""

from disttask_project.settings import *  # noqa: F403  all of it, but for the broker
from disttask_project.settings import Q_CLUSTER

Q_CLUSTER["broker_class"] = "tests.chaos.queue.FaultyBroker"
