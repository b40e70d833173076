# syntax=docker/dockerfile:1
# The first stage installs and compiles; the second holds an interpreter, the daemon with its compiled kernels and
# the rule packs. Nothing in it is written to but /var/lib/sentinel, so its root may be mounted read-only.
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag sentinel:0.1.0 .

FROM python:3.12-slim-bookworm AS base
# Both stages must agree on what kernels are compiled for: any CPU of the architecture. Kernels for the CPU of the
# machine that builds would be passed over on another, and compiled again at every start.
ENV NUMBA_CPU_NAME=generic \
    NUMBA_CPU_FEATURES= \
    NUMBA_CACHE_LOCATOR_CLASSES=sentinel.kernel_cache.ShippedCache

FROM base AS build
WORKDIR /src
# What it needs before what it is: a change of the code installs no dependency again. All come as wheels.
COPY pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/sentinel \
    && python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*project['dependencies'], sep='\n')" > requirements.txt \
    && python -m pip --python /opt/sentinel/bin/python install --only-binary :all: --requirement requirements.txt
COPY README.md LICENSE ./
COPY sentinel sentinel
# -P: the kernels to compile are those of the installed package, not those of the folder at hand.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/sentinel/bin/python install --no-deps . \
    && /opt/sentinel/bin/python -P -m sentinel.app.warm \
    && mkdir /empty

FROM base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Sentinel" \
      org.opencontainers.image.description="Monitoring and anomaly detection for streams" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/sentinel/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/sentinel /opt/sentinel
COPY rules /usr/share/sentinel/rules
COPY --from=build --chown=65532:65532 /empty /var/lib/sentinel
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/sentinel
VOLUME /var/lib/sentinel
EXPOSE 9464
# No HEALTHCHECK: whether /-/healthy is to be asked with TLS is known to who writes the configuration.
ENTRYPOINT ["sentinel"]
CMD ["run", "--config.file=/etc/sentinel/sentinel.yml", "--storage.path=/var/lib/sentinel", "--web.listen-address=0.0.0.0:9464"]
