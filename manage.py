#!/usr/bin/env python
"""Django's command line, with disttask's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "disttask_project.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A refused configuration is told in its own words; a traceback would bury them.
        sys.exit(f"{error}")
