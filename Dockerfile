# Build in one stage, run in another: the image that ships has no compiler, no pip and no root.
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir "uv>=0.9,<1"
WORKDIR /src
ENV UV_PROJECT_ENVIRONMENT=/opt/quarterdeck UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --no-install-project
COPY bot ./bot
COPY migrations ./migrations
RUN uv sync --locked --no-dev --no-editable

FROM python:3.13-slim
# git and ssh push to manifests repositories.
RUN apt-get update && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --create-home quarterdeck
COPY --from=build /opt/quarterdeck /opt/quarterdeck
ENV PATH=/opt/quarterdeck/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=3000 \
    DATABASE_URL=sqlite:////data/quarterdeck.db \
    QUARTERDECK_CACHE=/data/cache \
    QUARTERDECK_CATALOG=/etc/quarterdeck/quarterdeck.yaml
# Run with --read-only: /data is the only place that is written: by SQLite, and for clones.
USER 10001
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=2)"]
ENTRYPOINT ["quarterdeck"]
CMD ["run"]
