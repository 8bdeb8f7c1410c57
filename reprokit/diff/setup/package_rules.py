"""How likely a package moves a score: by what it does, and by whether more than its patch number moved."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from reprokit.bundle.values import Json
from reprokit.diff.difference import Effect
from reprokit.diff.setup.effect_rule import EffectRule

_AREA = "packages"
# A second installed version of the same package is told by its number; its origin and files by these words.
_SUFFIX = r"( \(\d+\))?(, (origin|files))?"


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What packages of one kind do, how likely a feature release of theirs moves a score, and a patch release."""

    name: str
    packages: str
    why: str
    feature: Effect
    patch: Effect


_KINDS = (
    _Kind(
        name="harness",
        packages=r"lm-eval|lmms-eval|inspect-(ai|evals)|lighteval|crfm-helm|opencompass|vlmeval|bigcode-eval\w*|evalplus|"
        r"simple-evals|deepeval|ragas|unitxt|every-eval-ever|.*-evals?",
        why="defines prompts, answer extraction and scores",
        feature="likely",
        patch="likely",
    ),
    _Kind(
        name="engine",
        packages=r"vllm(-.+)?|sglang(-.+)?|sgl-kernel|lmdeploy|text-generation|tensorrt-llm|llama-cpp-python|ctranslate2|"
        r"exllamav2|mlc-llm|onnxruntime(-.+)?|optimum(-.+)?|mlx(-.+)?|nano-vllm|deepspeed(-.+)?|ollama",
        why="runs the model: kernels, batching and sampling are its own",
        feature="likely",
        patch="possible",
    ),
    _Kind(
        name="model code",
        packages=r"transformers(-.+)?|peft|timm|open-clip-torch|qwen-vl-utils|qwen-omni-utils|llava(-.+)?|mamba-ssm|"
        r"causal-conv1d|sentence-transformers|flagembedding|diffusers|mistral-(common|inference)|llama-models|reka-api",
        why="holds the code of models, their prompt formats and their defaults",
        feature="likely",
        patch="possible",
    ),
    _Kind(
        name="metric",
        packages=r"evaluate|sacrebleu|nltk|rouge(-score)?|bert-score|bleurt|unbabel-comet|jiwer|editdistance|levenshtein|"
        r"rapidfuzz|fuzzywuzzy|thefuzz|pycocoevalcap|pycocotools|anls|sympy|latex2sympy2.*|math-verify|antlr4-.*|"
        r"scikit-learn|langdetect|word2number|spacy|jieba|fugashi|mecab.*|pythainlp|nagisa|pymorphy[23]|capture-metric|"
        r"zss|pywsd|apted|distance|seqeval|torchmetrics|wonderwords|emoji|zhconv|neologdn|"
        r"inflect|num2words|textdistance|ifeval|code-bleu|tree-sitter.*",
        why="computes a metric, or takes the answer apart for one",
        feature="likely",
        patch="possible",
    ),
    _Kind(
        name="quantisation",
        packages=r"bitsandbytes|auto-gptq|gptqmodel|autoawq.*|hqq|torchao|compressed-tensors|llmcompressor|quanto|"
        r"optimum-quanto|auto-round|aqlm|eetq|fbgemm.*|gguf",
        why="unpacks quantised weights, and its kernels round in their own way",
        feature="possible",
        patch="possible",
    ),
    _Kind(
        name="tokens",
        packages=r"tokenizers|sentencepiece|tiktoken|jinja2|ftfy|protobuf",
        why="cuts text into tokens or renders templates, mostly the same in every version",
        feature="possible",
        patch="unlikely",
    ),
    _Kind(
        name="arithmetic",
        packages=r"torch|pytorch-.*|flash-attn(-.+)?|flash-linear-attention|fla-core|flashinfer(-.+)?|xformers|triton|"
        r"pytorch-triton.*|nvidia-.*|accelerate|jax(lib)?|flax|tensorflow(-.+)?|keras|einops|liger-kernel|apex|kernels|"
        r"habana-.*|intel-extension-.*|torch-xla|xgrammar|outlines(-core)?|cupy.*|mkl|intel-openmp",
        why="brings the kernels, and another release may round differently",
        feature="possible",
        patch="unlikely",
    ),
    _Kind(
        name="data",
        packages=r"datasets|pyarrow|pandas|polars|numpy|scipy|webdataset|dill|multiprocess",
        why="loads, orders or draws the items, mostly the same in every version",
        feature="possible",
        patch="unlikely",
    ),
    _Kind(
        name="media",
        packages=r"pillow|opencv-.*|torchvision|torchaudio|torchcodec|(eva-)?decord2?|av|imageio.*|librosa|soundfile|"
        r"soxr|scikit-image|moviepy|pdf2image|pdfplumber|pymupdf|audioread|ffmpeg-python|pydub",
        why="decodes and resizes images, sound and video, and pixels may differ a little",
        feature="possible",
        patch="unlikely",
    ),
    _Kind(
        name="interface",
        packages=r"openai|anthropic|google-genai|google-generativeai|litellm|mistralai|cohere|together|groq|boto3|"
        r"ibm-watsonx-ai|azure-ai-.*|dashscope|zhipuai|langchain.*|huggingface-hub|tritonclient.*",
        why="speaks to servers, with defaults of its own",
        feature="possible",
        patch="unlikely",
    ),
    _Kind(
        name="bystander",
        packages=r"matplotlib.*|seaborn|plotly|contourpy|cycler|fonttools|kiwisolver|pyparsing|bokeh|altair|wandb.*|mlflow.*|"
        r"tensorboard.*|swanlab|trackio|gradio.*|comet-ml|neptune.*|sentry-sdk|gitpython|gitdb|smmap|rich|tqdm.*|click|"
        r"typer.*|colorama|colorlog|loguru|tabulate|pytablewriter|tabledata|typepy|dataproperty|mbstrdecoder|pathvalidate|"
        r"tcolorpy|pytest.*|coverage|hypothesis|ruff|black|isort|flake8.*|mypy.*|pre-commit|pip|setuptools.*|wheel|uv|"
        r"hatchling|virtualenv|build|ipython|ipykernel|jupyter.*|notebook|nb.*|traitlets|certifi|charset-normalizer|idna|"
        r"urllib3|requests.*|httpx.*|httpcore|h11|h2|hpack|hyperframe|aio(http|happyeyeballs|signal|files)|anyio|sniffio|"
        r"yarl|multidict|frozenlist|propcache|attrs|typing-.*|annotated-.*|pydantic.*|packaging|filelock|fsspec|"
        r"hf-(transfer|xet)|pyyaml|ruamel.*|toml.*|jsonlines|jsonschema.*|referencing|rpds-py|orjson|ujson|msgspec|"
        r"zstandard|xxhash|six|pytz|tzdata|python-(dateutil|dotenv|multipart)|more-itertools|networkx|mpmath|markupsafe|"
        r"regex|safetensors|psutil|py-cpuinfo|nvidia-ml-py|pynvml|gputil|joblib|threadpoolctl|sqlitedict|sqlalchemy|"
        r"absl-py|lxml|beautifulsoup4|soupsieve|openpyxl|et-xmlfile|pybind11|cmake|ninja|fastapi.*|starlette|uvicorn.*|"
        r"uvloop|websockets?|watchfiles|prometheus-.*|opentelemetry-.*|ray|distro|jiter|docstring-parser|shellingham|"
        r"pygments|markdown-it-py|mdurl|tenacity|backoff|chardet|platformdirs|zipp|importlib-.*|exceptiongroup|"
        r"portalocker|lark|immutabledict|yt-dlp|playwright|mcp|duckduckgo-search|zeno-client|hf-.*|cachetools|google-auth|grpcio.*",
        why="shows, fetches, packs or tests, and takes no part in answers or scores",
        feature="unlikely",
        patch="unlikely",
    ),
    _Kind(
        name="other",
        packages=r".+",
        why="what it does in the evaluation is not known",
        feature="possible",
        patch="unlikely",
    ),
)


def patch_release(before: Json, after: Json) -> bool:
    """Tell whether two versions differ in nothing but what follows their first two numbers: `2.3.0` and `2.3.1`.

    `2.3.0+cpu` and `2.3.0+cu126` are two builds, and differ in more.
    """
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    try:
        one, other = Version(before), Version(after)
    except InvalidVersion:
        return False
    return (one.epoch, one.major, one.minor, one.local) == (other.epoch, other.major, other.minor, other.local)


def _rules(kind: _Kind) -> list[EffectRule]:
    pattern = re.compile(f"({kind.packages}){_SUFFIX}")
    feature = EffectRule(name=f"{kind.name} package", area=_AREA, field=pattern, effect=kind.feature, why=kind.why)
    if kind.patch == kind.feature:
        return [feature]
    patch = EffectRule(
        name=f"{kind.name} package, patch release",
        area=_AREA,
        field=pattern,
        effect=kind.patch,
        why=f"{kind.why}; only its patch number moved",
        when=patch_release,
    )
    return [patch, feature]


PACKAGE_RULES: tuple[EffectRule, ...] = tuple(rule for kind in _KINDS for rule in _rules(kind))
