"""Make a GPT-2 of a few thousand random weights, with a tokenizer of its own: `python tiny_gpt2.py FOLDER`.

Nothing is fetched. Equal versions of torch make equal bytes.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

END = "<|endoftext|>"
SEED = 3
LONGEST = 128
TEXT = ["Which is larger, 3 or 9? Answer: 9", "What is 2 plus 3? Answer: 5", "Größer? 大きい"] * 4
TURNS = "{% for turn in messages %}[{{ turn['role'] }}] {{ turn['content'] }}\n{% endfor %}"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Learn a byte-level vocabulary from a few lines."""
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    tokens.train_from_iterator(TEXT, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokens, bos_token=END, eos_token=END, pad_token=END, model_max_length=LONGEST
    )
    made.chat_template = TURNS
    return made


def make_model(words: int) -> GPT2LMHeadModel:
    """Draw the weights."""
    torch.manual_seed(SEED)
    shape = GPT2Config(
        vocab_size=words,
        n_positions=LONGEST,
        n_embd=8,
        n_layer=1,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return GPT2LMHeadModel(shape)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    make_model(len(tokenizer)).save_pretrained(folder)
