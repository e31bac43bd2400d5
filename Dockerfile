# The service in a container.
#
#   docker build --target cpu -t duet-serving:cpu .     the service, no torch (also what `docker build .` makes)
#   docker build --target gpu -t duet-serving:gpu .     the service with ONNX Runtime for CUDA
#   docker build --target train -t duet-serving:train . training, export and every test: torch, about 8 GB
#
# Works with BuildKit and with the classic builder, which makes every stage above the target: name the target there.
# Packages are those of requirements/*.txt. Behind a mirror: --build-arg PIP_INDEX_URL=…, --build-arg PIP_CERT=…;
# a base image of your own, or one pinned by digest: --build-arg PYTHON_IMAGE=python@sha256:….

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# ---- what every image of the service shares
FROM ${PYTHON_IMAGE} AS base
# /var/lib/duet is the one place the service writes to, besides /tmp. OpenBLAS would start a thread for each core of the
# host, however few the container may use; ONNX Runtime's threads follow the limit of the container by themselves.
RUN mkdir -p /var/lib/duet && chown 10001:10001 /var/lib/duet
ENV PATH=/opt/duet/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    DUET_BUNDLE=/srv/duet/models/birds \
    DUET_STORE=sqlite:////var/lib/duet/classes.sqlite \
    DUET_SNAPSHOTS=/var/lib/duet/snapshots
WORKDIR /srv/duet
LABEL org.opencontainers.image.title="DUET serving" \
      org.opencontainers.image.description="Zero-shot image recognition with attributes you can read" \
      org.opencontainers.image.licenses="Apache-2.0"

# ---- tools that install, none of which is in an image of the service
FROM ${PYTHON_IMAGE} AS installer
ARG PIP_INDEX_URL
ARG PIP_CERT
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_ONLY_BINARY=:all:
WORKDIR /build
COPY requirements requirements
# The environment has no pip of its own, so that nothing can be installed in a running container.
RUN python -m venv --without-pip /opt/duet \
 && python -m venv /opt/tools \
 && /opt/tools/bin/python -m pip install --quiet "$(grep '^setuptools==' requirements/test.txt)"

FROM installer AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY duet_client duet_client
COPY duet_core duet_core
RUN /opt/tools/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels .

FROM installer AS cpu-packages
RUN python -m pip --python /opt/duet/bin/python install --quiet \
    --requirement requirements/serve.txt --requirement requirements/client.txt
COPY --from=wheel /wheels /wheels
RUN python -m pip --python /opt/duet/bin/python install --quiet --no-deps --no-index /wheels/*.whl

# ---- the service on a CPU
FROM base AS cpu
COPY --from=cpu-packages /opt/duet /opt/duet
COPY models/birds models/birds
COPY deploy/container deploy
USER 10001:10001
VOLUME /var/lib/duet
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["python", "-I", "-S", "deploy/ready.py"]
CMD ["duet", "serve", "--host", "0.0.0.0", "--port", "8000"]

# ---- the service on an NVIDIA GPU: the same but for ONNX Runtime and the CUDA libraries it loads
FROM installer AS gpu-packages
RUN python -m pip --python /opt/duet/bin/python install --quiet \
    --requirement requirements/gpu.txt --requirement requirements/client.txt
COPY --from=wheel /wheels /wheels
RUN python -m pip --python /opt/duet/bin/python install --quiet --no-deps --no-index /wheels/*.whl

FROM base AS gpu
ENV DUET_DEVICE=cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=gpu-packages /opt/duet /opt/duet
COPY models/birds models/birds
COPY deploy/container deploy
USER 10001:10001
VOLUME /var/lib/duet
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=120s --retries=3 CMD ["python", "-I", "-S", "deploy/ready.py"]
CMD ["duet", "serve", "--host", "0.0.0.0", "--port", "8000"]

# ---- training, judging and export; data and runs are mounted: -v ./data:/data -v ./runs:/srv/duet/runs
FROM installer AS train-packages
RUN python -m pip --python /opt/duet/bin/python install --quiet --requirement requirements/test.txt \
 && python -m pip --python /opt/duet/bin/python install --quiet --no-deps --requirement requirements/no-deps.txt
COPY --from=wheel /wheels /wheels
RUN python -m pip --python /opt/duet/bin/python install --quiet --no-deps --no-index /wheels/*.whl

FROM base AS train
COPY --from=train-packages /opt/duet /opt/duet
COPY models/birds models/birds
COPY training training
RUN mkdir runs && chown 10001:10001 runs
USER 10001:10001
ENTRYPOINT ["duet"]
CMD ["train", "--help"]

# ---- the default
FROM cpu
