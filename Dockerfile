# The package and its command line, on CPU or (with the NVIDIA container toolkit, `docker run --gpus all`) CUDA.
#   docker build -t dbgan .
#   docker run --rm -v "$PWD:/project" --user "$(id -u):$(id -g)" dbgan new my-project --preset demo
#   docker run --rm -v "$PWD/my-project:/project" --user "$(id -u):$(id -g)" --entrypoint dvc dbgan repro
FROM python:3.12-slim-bookworm

# DVC asks git for the project's history; everything else comes in wheels.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes git \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
COPY pyproject.toml README.md LICENSE CHANGELOG.md constraints.txt dvc.yaml params.yaml .gitignore .dvcignore ./
COPY .dvc ./.dvc
COPY dbgan ./dbgan
COPY pipelines ./pipelines
COPY presets ./presets
COPY datasets ./datasets
RUN pip install --no-cache-dir --constraint constraints.txt '.[s3,gs,review,onnx]' \
    && rm -rf /build

ENV DVC_NO_ANALYTICS=1 RAY_USAGE_STATS_ENABLED=0 HOME=/tmp
WORKDIR /project
ENTRYPOINT ["dbgan"]
CMD ["--help"]
