"""The project's settings under the `test` profile, with a home of its own for every test run."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("DISTTASK_PROFILE", "test")
if "DISTTASK_HOME" not in os.environ:
    # Set before the first worker process starts: they inherit it, and only the run that made it removes it.
    os.environ["DISTTASK_HOME"] = tempfile.mkdtemp(prefix="disttask-test-")
    atexit.register(shutil.rmtree, os.environ["DISTTASK_HOME"], ignore_errors=True)

from disttask_project.settings import *  # noqa: F403  the profile and home above are read by it

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # made to be slow otherwise
