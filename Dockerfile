# The dev server, for other machines or other containers. It refuses to start until users are named: docs/devserver.md.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY graphistry_core graphistry_core
COPY devserver devserver
COPY fixtures fixtures
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
ARG EXTRAS=excel
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/*.whl)[${EXTRAS}]"
# A home, because compiled kernels are kept there; an id, because a mounted directory must belong to one.
RUN useradd --uid 10001 --create-home graphistry && install -d -o graphistry -g graphistry /data
USER graphistry
WORKDIR /home/graphistry
ENV GRAPHISTRY_DEVSERVER_DATA_DIR=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8080
# http.client and not urllib: a proxy in the environment is not for this.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["graphistry-core", "serve", "--host", "0.0.0.0", "--allow-remote", "--port", "8080"]
