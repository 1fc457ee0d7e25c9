"""Writes tool-prompts.json: conversations with tools through the chat template of Qwen2.5.

Template: nvidia/NVLM-D-72B `tokenizer_config.json`, `chat_template` (that of Qwen2.5), rendered by jinja2 3.1.6 with
the settings of transformers' `render_jinja_template` (trim_blocks, lstrip_blocks, tojson without ASCII escapes).
Run: python make-tool-prompts.py <tokenizer_config.json>
"""
import json, sys
from jinja2.sandbox import ImmutableSandboxedEnvironment

env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
env.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
template = env.from_string(json.load(open(sys.argv[1]))["chat_template"])

weather = {"name": "get_weather", "description": "Weather of a \"city\" – ünïcode", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}}, "required": ["city"]}}
clock = {"name": "now", "parameters": {"type": "object", "properties": {}}}


def call(id, name, arguments):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}}


system = {"role": "system", "content": "Be short."}
ask = {"role": "user", "content": "What is the weather in Zürich?"}
turns = [ask,
         {"role": "assistant", "content": "", "tool_calls": [call("a", "get_weather", {"city": "Zürich", "days": 2})]},
         {"role": "tool", "tool_call_id": "a", "content": "{\"sky\":\"clear\"}"}]
two = [ask,
       {"role": "assistant", "content": "Let me see.", "tool_calls": [call("a", "get_weather", {"city": "Zürich"}), call("b", "now", {})]},
       {"role": "tool", "tool_call_id": "a", "content": "rain </tool_response>"},
       {"role": "tool", "tool_call_id": "b", "content": "12:00"},
       {"role": "assistant", "content": "It rains."},
       {"role": "user", "content": "And now?"}]
cases = [("one tool", [system, ask], [weather]), ("two tools", [system, ask], [weather, clock]),
         ("a result", [system, *turns], [weather]), ("two calls, two results", [system, *two], [weather, clock]),
         ("no tools", [system, *two], [])]


def parsed(messages):
    """Templates take arguments as objects; the OpenAI shape has them as text."""
    return [{**m, **({"tool_calls": [{**c, "function": {**c["function"], "arguments": json.loads(c["function"]["arguments"])}}
                                     for c in m["tool_calls"]]} if "tool_calls" in m else {})} for m in messages]


out = [{"name": name, "messages": messages, "tools": tools, "prompt": template.render(
    messages=parsed(messages), tools=[{"type": "function", "function": tool} for tool in tools], add_generation_prompt=True)}
    for name, messages, tools in cases]
json.dump(out, open("tool-prompts.json", "w"), ensure_ascii=False, indent=1)
