"""Writes a model of random weights that llama.cpp can read: `tiny.py FILE CONTEXT`.

What it says is drawn from the printable characters, almost evenly: one word in thirty is its last, and
strings are short.
"""

import math
import sys

import gguf
import numpy

WIDTH, LAYERS, HEADS, INNER = 64, 2, 4, 128
# By how much more often these are said than other characters, and bytes less.
OFTEN = {"</s>": 2.0, '"': 6.0, "]": 3.0, "}": 3.0, " ": 0.2}

file, context = sys.argv[1], int(sys.argv[2])
random = numpy.random.default_rng(7)
kind = gguf.TokenType
tokens = [("<unk>", kind.UNKNOWN), ("<s>", kind.CONTROL), ("</s>", kind.CONTROL)]
tokens += [(f"<0x{byte:02X}>", kind.BYTE) for byte in range(256)]
# A blank is written so.
tokens += [("\u2581" if code == 32 else chr(code), kind.NORMAL) for code in range(32, 127)]

out = gguf.GGUFWriter(file, "llama")
out.add_name("tiny")
out.add_context_length(context)
out.add_embedding_length(WIDTH)
out.add_block_count(LAYERS)
out.add_feed_forward_length(INNER)
out.add_head_count(HEADS)
out.add_layer_norm_rms_eps(1e-5)
out.add_rope_dimension_count(WIDTH // HEADS)
out.add_vocab_size(len(tokens))
out.add_tokenizer_model("llama")
out.add_token_list([text for text, _ in tokens])
out.add_token_scores([0.0] * len(tokens))
out.add_token_types([kind for _, kind in tokens])
out.add_bos_token_id(1)
out.add_eos_token_id(2)
out.add_unk_token_id(0)
out.add_chat_template("{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}<assistant>")


def add(name, *shape):
    out.add_tensor(name, random.normal(0, 0.02, shape).astype(numpy.float32))


def ones(name):
    out.add_tensor(name, numpy.ones(WIDTH, numpy.float32))


# The first number of each word is large, so that, normed, it is always the same: what it is multiplied
# with at the end is how often a word is said.
words = random.normal(0, 0.02, (len(tokens), WIDTH)).astype(numpy.float32)
words[:, 0] = 1.0
out.add_tensor("token_embd.weight", words)
ones("output_norm.weight")
said = random.normal(0, 0.05, (len(tokens), WIDTH)).astype(numpy.float32)
for nth, (text, of) in enumerate(tokens):
    often = OFTEN.get(text.replace("\u2581", " "), 1.0 if of == kind.NORMAL else 1e-6)
    said[nth, 0] = math.log(often) / math.sqrt(WIDTH)
out.add_tensor("output.weight", said)
for layer in range(LAYERS):
    block = f"blk.{layer}."
    ones(block + "attn_norm.weight")
    ones(block + "ffn_norm.weight")
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        add(f"{block}{name}.weight", WIDTH, WIDTH)
    add(block + "ffn_gate.weight", INNER, WIDTH)
    add(block + "ffn_up.weight", INNER, WIDTH)
    add(block + "ffn_down.weight", WIDTH, INNER)
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
