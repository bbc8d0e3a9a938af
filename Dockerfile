# One image for every role: web (default), `runcluster`, `runengine`, `rungrpc`, `migrate`.
# Debian, not Alpine: cel-expr-python has no musl wheel.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential pkg-config default-libmysqlclient-dev gettext \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY locks/default.lock locks/servers.lock locks/
RUN python -m venv /app/.venv \
    && /app/.venv/bin/pip install --no-cache-dir --require-hashes -r locks/default.lock -r locks/servers.lock
COPY . .
RUN DISTTASK_PROFILE=demo DISTTASK_HOME=/tmp/build .venv/bin/python manage.py compilemessages --ignore=.venv \
    && DISTTASK_PROFILE=demo DISTTASK_HOME=/app/var .venv/bin/python manage.py collectstatic --noinput \
    && rm -f /app/var/secret_key

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app disttask
WORKDIR /app
COPY --from=build /app /app
RUN chown -R disttask /app/var
USER disttask
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 DISTTASK_HOST=0.0.0.0 DISTTASK_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py", "disttask_project.wsgi"]
