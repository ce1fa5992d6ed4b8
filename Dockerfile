# docker build -t afn . && docker run --rm -v "$PWD/data:/afn/data" -v "$PWD/exp:/afn/exp" afn
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends curl ffmpeg && rm -rf /var/lib/apt/lists/*
WORKDIR /afn
COPY requirements.txt .
# PyTorch for the CPU; for a GPU: --build-arg INDEX=https://pypi.org/simple
ARG INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --extra-index-url "$INDEX" -r requirements.txt
COPY . .
ENV PYTHON=/usr/local/bin/python
CMD ["./run.sh"]
