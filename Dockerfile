# rotator as an image: no root, no installer, nothing written but the audit trail and /tmp.
#
#   make image                                        with docker, podman or buildah
#   make image BASE=mirror.example/python:3.13-slim@sha256:...
#
# The stage `sandbox` is the same with the simulated systems, for a first look: config/docker-compose.yml.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock ./
# The environment gets no pip: the one outside installs into it.
RUN python -m venv --without-pip /opt/rotator \
    && python -m pip --python /opt/rotator/bin/python install \
        --require-hashes --no-deps --requirement requirements.lock
COPY requirements-dev.lock ./
# Of the development tools only what makes a wheel, so that this, too, is checked by hash.
RUN awk '/^[^ ]/ { kept = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } kept' \
        requirements-dev.lock > build.lock \
    && python -m pip install --require-hashes --no-deps --requirement build.lock
COPY LICENSE README.md pyproject.toml ./
COPY rotator rotator
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/rotator/bin/python install --no-deps --no-index dist/*.whl

FROM build AS build-sandbox
COPY requirements-sandbox.lock ./
RUN python -m pip --python /opt/rotator/bin/python install \
        --require-hashes --no-deps --requirement requirements-sandbox.lock

FROM ${BASE} AS runtime
# No VOLUME for the trail: without a mount it cannot be written, and rotator refuses to act.
RUN python -m pip uninstall --yes --root-user-action=ignore pip \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/rotator /var/lib/rotator/audit
ENV PATH=/opt/rotator/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ROTATOR_CONFIG=/etc/rotator/rotator.toml \
    ROTATOR_LOG_FORMAT=json
WORKDIR /var/lib/rotator
ENTRYPOINT ["rotator"]

FROM runtime AS sandbox
COPY --from=build-sandbox /opt/rotator /opt/rotator
USER 10001:10001
CMD ["sandbox"]

FROM runtime AS rotator
ARG VERSION=unknown
LABEL org.opencontainers.image.title="rotator" \
      org.opencontainers.image.description="Rotates Pinata API keys kept in AWS Secrets Manager" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/rotator /opt/rotator
# Slim bases come without compiled modules, and a read-only container cannot make them: do it once, by importing.
RUN python -c "import rotator.cli.run, rotator.wiring.connect"
USER 10001:10001
# Beside `rotator run`, which listens nowhere: `--no-healthcheck`.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "import http.client, sys; \
c = http.client.HTTPConnection('127.0.0.1', 9118, timeout=4); \
c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
CMD ["daemon"]
