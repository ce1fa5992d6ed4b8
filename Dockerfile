# docker build -t afn . && docker run --rm -v "$PWD/data:/afn/data" -v "$PWD/exp:/afn/exp" afn
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends curl ffmpeg && rm -rf /var/lib/apt/lists/*
WORKDIR /afn
COPY requirements.txt .
# Another package index, for example of PyTorch without CUDA, which is smaller: --build-arg PIP_EXTRA_INDEX_URL=...
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
ENV PYTHON=/usr/local/bin/python
CMD ["./run.sh"]
