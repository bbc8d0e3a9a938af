"""The web server: `gunicorn -c deploy/gunicorn.conf.py disttask_project.wsgi`, from the repository's folder."""

import os
from pathlib import Path

from disttask_project.config.reader import read_configuration

_configuration = read_configuration(os.environ, Path(__file__).resolve().parent.parent)

bind = f"{_configuration['HOST']}:{_configuration['PORT']}"
# Threads: a request waits for the database, not for a core; each thread may hold one connection to it.
worker_class = "gthread"
workers = 2
threads = 8
timeout = 60
graceful_timeout = 20
# Our middleware logs requests, with their ids and without their secrets.
accesslog = None
# Its control socket lies in the user's home: two copies would share it, and a system user has none.
control_socket_disable = True
