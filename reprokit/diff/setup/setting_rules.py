"""How likely a setting moves a score, by its name: as an option, an argument of the model, a claim or a task's field.

Names are in lower case with underscores. The first rule that matches counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reprokit.bundle.values import Json
from reprokit.diff.difference import Effect
from reprokit.diff.setup.effect_rule import EffectRule

AREA = "setting"
"""What the area of these rules is called: a setting is told in several areas."""


def _setting(
    name: str, effect: Effect, pattern: str, why: str, when: Callable[[Json, Json], bool] | None = None
) -> EffectRule:
    return EffectRule(name=name, area=AREA, field=re.compile(pattern), effect=effect, why=why, when=when)


_ENGINES = frozenset(
    {"hf", "huggingface", "hf-auto", "vllm", "vllm-vlm", "sglang", "sglang-generate", "gguf", "nemo_lm"}
)


def _both_are_engines(before: Json, after: Json) -> bool:
    return all(isinstance(value, str) and value in _ENGINES for value in (before, after))


_REPORTING = (
    _setting(
        "reporting",
        "unlikely",
        r"output_(path|dir|file|folder)|results?_(path|dir|file)|save_(path|dir|results|predictions)|log_\w+|logging|"
        r"verbos(e|ity)|quiet|write_out|show_config|(wandb|trackio|swanlab|mlflow)(_\w+)?|hf_hub_log_args|tui|timezone|"
        r"check_integrity|agentic_trace_mode|report_to|progress|disable_log_\w+|eval_results_\w+|task_alias|group_alias|"
        r"tags?|display|higher_is_better",
        "says how results are named, shown and stored, and takes no part in them",
    ),
    _setting(
        "error bars",
        "unlikely",
        r"bootstrap_iters|alpha|power(_analysis)?|effect_size|correlation|std_[ab]|baseline|cluster_key|confidence|"
        r"should_decontaminate|doc_to_decontamination_query",
        "bears on standard errors and side results, not on the scores",
    ),
    _setting(
        "credentials",
        "unlikely",
        r"(\w+_)?(api_key|auth_token|access_token|hf_token)|token|verify_certificate|ca_cert_path",
        "a key opens the door and does not change who answers",
    ),
    _setting(
        "memory",
        "unlikely",
        r"gpu_memory_utilization|mem_fraction_static|max_(memory_per_gpu|cpu_memory|memory)|offload_\w+|swap_space|"
        r"cpu_offload_gb|low_cpu_mem_usage|block_size|max_shard_size",
        "says how memory is shared out, which changes batches at most",
    ),
    _setting(
        "workers",
        "unlikely",
        r"num_workers|n_jobs|num_proc|(num_)?threads|process_docs_parallel|num_cpu\w*|cpus_per_task|launcher_args|"
        r"main_process_port|max_lora_rank",
        "shares out work that comes to the same however it is shared out",
    ),
)

_MODEL = (
    _setting(
        "precision",
        "likely",
        r"(\w+_)?(dtype|precision|quanti[sz]ation)(_\w+)?|quant_\w+|load_in_[48]bit|load_[48]bit|autogptq|gptqmodel|awq|"
        r"gptq|bnb_\w+|bf16|fp16|fp32|tf32|fp8|int8|gguf_file",
        "other precision rounds every number in the model, and near ties fall the other way",
    ),
    _setting(
        "revision",
        "likely",
        r"(\w+_)?(revision|sha|commit)|git_hash",
        "another revision holds other weights, data or code",
    ),
    _setting(
        "tokenizer",
        "likely",
        r"tokenizer(_\w+)?|use_fast_tokenizer|add_(bos_token|special_tokens)|(custom_)?prefix_token_id|"
        r"tokenized_requests|(eot|eos|bos|pad)_token(_id)?|eos_string|trim_\w+",
        "the text is cut into other tokens",
    ),
    _setting(
        "thinking",
        "likely",
        r"enable_thinking|thinking(_\w+)?|reasoning_effort|reasoning_prompt",
        "a model that thinks first answers otherwise, and at another length",
    ),
    _setting(
        "engine",
        "likely",
        r"(model_|inference_)?(backend|engine)|model_source|model_impl|force_simple",
        "another engine computes, batches and samples in its own way",
    ),
    _setting(
        "choice of engine",
        "likely",
        r"model",
        "the same model may be run by another engine, with kernels, batches and sampling of its own",
        _both_are_engines,
    ),
    _setting(
        "model",
        "likely",
        r"model|pretrained|peft|delta|(\w+_)?(lora|adapter)(_\w+)?|models?_(name|path|version|id|name_or_path|class|type)|"
        r"ckpt|checkpoint(_\w+)?|weights|subfolder|model_num_parameters|deployment\w*|served_model_name|role",
        "other weights answer differently",
    ),
    _setting("model arguments", "likely", r"model_args", "the model is loaded with other arguments"),
)

_PROMPT = (
    _setting(
        "few-shot seed",
        "possible",
        r"fewshot_(random_)?seed|num_fewshot_seeds",
        "draws other worked examples, where prompts hold any",
    ),
    _setting(
        "shots",
        "likely",
        r"num_fewshot|n_?shots?|shots|n_shot|fewshot_(?!as_multiturn|delimiter)\w+|sampler",
        "other worked examples stand in the prompt",
    ),
    _setting(
        "prompt",
        "likely",
        r"(apply_)?chat_template(_\w+)?|system_(instruction|prompt|message)(_\w+)?|fewshot_as_multiturn|multiturn|"
        r"use_prompt|(pre|post|default)_prompt|prompt(_\w+)?|description|instruction|gen_prefix|(\w+_)?delimiter|"
        r"doc_to_(text|messages|choice|visual|image|audio|video)|interleave_visuals|lmms_eval_specific_kwargs|conv_\w+",
        "the prompt is wrapped differently",
    ),
    _setting(
        "media",
        "likely",
        r"(max|min)_(pixels|images?|num_frames|frames_num|frames)|fps|nframes|num_frames|frames?|resolution|"
        r"(image|video|audio)_\w+|mm_\w+|limit_mm_per_prompt|process_with_media|max_image_size|pooling_\w+|any_?res\w*",
        "images, sound and video reach the model in another size or number",
    ),
    _setting(
        "context length",
        "possible",
        r"max_(model_len|length|seq_len\w*|context\w*)|context_(len|length|window)|truncate\w*|truncation\w*|sliding_window|rope_\w+",
        "a prompt that is too long is cut elsewhere",
    ),
)

_ITEMS = (
    _setting(
        "which samples",
        "likely",
        r"limit|offset|samples|(num|max|n)_samples|sample_(ids?|indices)|subset|fraction|shuffled?|full_docs|"
        r"(training_|validation_|test_|eval_)?split|process_docs",
        "the score is over other samples",
    ),
    _setting("tasks", "likely", r"tasks?|benchmarks?|include|group(_subtasks)?", "other tasks are evaluated"),
    _setting(
        "data",
        "likely",
        r"(\w+_)?datasets?(_(?!revision)\w+)?|data(_(path|dir|files|folder|root))?|custom_dataset",
        "other items are asked",
    ),
    _setting(
        "task folder",
        "possible",
        r"include_path|config_source",
        "names where definitions are read; what they say is compared, as far as the harness wrote it down",
    ),
    _setting("metadata", "possible", r"metadata", "some tasks take their settings from it"),
    _setting(
        "version",
        "likely",
        r"(task_)?versions?",
        "another version of a task asks or scores differently",
    ),
)

_ANSWERS = (
    _setting(
        "answer length",
        "likely",
        r"until|stop(_\w+)?|max_(gen_toks|new_tokens|tokens|completion_tokens|output_tokens|gen_len)|min_(new_)?tokens",
        "answers end elsewhere, and one cut short may lack what is looked for",
    ),
    _setting(
        "decoding",
        "likely",
        r"gen_kwargs|(\w+_)?generation_kwargs|generation_config|sampling_\w+|temperature|top_[pk]|min_p|typical_p|"
        r"do_sample|num_beams|best_of|(\w+_)?penalty|no_repeat_ngram_size|logit_bias|guided_\w+|decoding\w*|"
        r"(model_)?generate_config",
        "answers are generated by other rules",
    ),
    _setting(
        "repeats",
        "possible",
        r"repeats?|epochs(_reducer)?|num_generations",
        "the score is over another number of answers to each sample",
    ),
    _setting(
        "seed",
        "possible",
        r"(\w+_)?seeds?|seed_everything",
        "matters where answers are sampled or worked examples are drawn",
    ),
    _setting(
        "answer extraction",
        "likely",
        r"filter(_\w+|s)?|regex_pattern|group_select|reasoning_tags|think_\w+|auto_strip_thinking|strip_\w+|extract\w*|"
        r"post_process\w*|ignore_(case|punctuation|numbers)|regexes_to_ignore",
        "the answer is taken from the response by other rules",
    ),
    _setting(
        "scoring",
        "likely",
        r"metrics?(_\w+)?|aggregation|weight_by_size|process_results(_\w+)?|score_key|scorers?|predict_only|output_type|"
        r"doc_to_target|model_specific_target_kwargs|normali[sz]\w+",
        "answers are marked by other rules",
    ),
    _setting(
        "judge",
        "likely",
        r"(\w+_)?(judge|grader|evaluator)(_\w+)?|gpt_eval_model\w*|eval_model(_\w+)?|api_type|model_roles",
        "another judge marks differently",
    ),
    _setting(
        "code execution",
        "possible",
        r"unsafe_code|confirm_run_unsafe_code|allow_code_eval|sandbox\w*",
        "whether and where generated code is run decides what it scores",
    ),
    _setting(
        "members",
        "likely",
        r"fields?",
        "the scores and answers are read from other members of the samples",
    ),
)

_COMPUTING = (
    _setting(
        "batch size",
        "possible",
        r"(\w+_)?batch_sizes?|max_num_(seqs|batched_tokens)|num_concurrent|max_(connections|concurren\w+)|batching|"
        r"enable_chunked_prefill",
        "batch size moves results by rounding, and by padding in some models",
    ),
    _setting(
        "parallelism",
        "possible",
        r"(tensor|pipeline|data|expert)_parallel(_size)?|[tpd]p(_size|_plan)?|parallelize|device_map(_option)?|"
        r"num_(processes|machines|gpus|nodes)|nproc(_per_node)?|nnodes|world_size|ntasks|gpus(_\w+)?|multi_gpu|nodes",
        "sums are split over another number of devices, which rounds differently",
    ),
    _setting(
        "kernels",
        "possible",
        r"attn_implementation|(\w+_)?attention(_\w+)?|use_flash_attn|use_flash_attention\w*|enforce_eager|(torch_)?compile|"
        r"cuda_graph\w*|enable_prefix_caching|speculative\w*|kv_cache\w*|softmax_\w+|deterministic\w*",
        "another kernel sums in another order, which rounds differently",
    ),
    _setting(
        "device", "possible", r"devices?|accelerator|cpu|cuda|use_cpu", "another kind of processor rounds differently"
    ),
    _setting(
        "saved answers",
        "possible",
        r"(\w+_)?cache(_\w+)?|cache_requests",
        "answers or requests that were saved earlier may be used again",
    ),
    _setting(
        "endpoint",
        "possible",
        r"(\w+_)?(base_url|api_base|api_url|endpoint|api_version)|host|port|server|region",
        "what answers at another address need not be the same model",
    ),
    _setting(
        "patience",
        "possible",
        r"(request_)?timeout|(max_)?retries|fail_on_error|max_(messages|time|working)\w*|(\w+_)?limit",
        "an answer that comes too late, or not at the first try, may count as none",
    ),
    _setting(
        "remote code",
        "possible",
        r"trust_remote_code",
        "code that comes with the model or the dataset may run in place of the library's",
    ),
)

SETTING_RULES: tuple[EffectRule, ...] = (*_REPORTING, *_MODEL, *_PROMPT, *_ITEMS, *_ANSWERS, *_COMPUTING)
