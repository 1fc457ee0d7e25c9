/**
 * Answers as vLLM writes them, put together from its sources of November 2026 (no GPU was at hand to record them):
 *
 * - `vllm/entrypoints/openai/chat_completion/protocol.py`: `ChatCompletionStreamResponse`,
 *   `ChatCompletionResponseStreamChoice`, `ChatCompletionLogProbsContent`
 * - `vllm/entrypoints/generate/base/protocol.py`: `DeltaMessage`, `DeltaToolCall`, `validate_request_mm_kwargs`
 * - `vllm/entrypoints/openai/chat_completion/serving.py`: order of the events; a first one with the role, one a step,
 *   one with the usage without choices, `[DONE]`
 */
const HEAD =
  '"id":"chatcmpl-9f1c6b0e","object":"chat.completion.chunk","created":1764000000,"model":"nvidia/NVLM-D-72B"'

/** "OPEN DAY" in three steps, the second of two tokens (`--stream-interval`); usage as with `--enable-prompt-tokens-details`. */
export const VLLM_TEXT = [
  `{${HEAD},"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":[151644,8948,198]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"content":"OP"},"logprobs":null,"finish_reason":null,"token_ids":[3067]}]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"content":"EN DAY"},"logprobs":null,"finish_reason":null,"token_ids":[965,24337]}]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":[151645]}]}`,
  `{${HEAD},"choices":[],"usage":{"prompt_tokens":1810,"total_tokens":1814,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1792,"multimodal_tokens":{"image":1792}}}}`,
  '[DONE]',
]

/** The hermes parser's way of a call: id and name first, then the arguments piece by piece. */
export const VLLM_TOOL_CALL = [
  `{${HEAD},"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"content":"Let me look."},"logprobs":null,"finish_reason":null,"token_ids":[10061,752,1401,13]}]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"tool_calls":[{"id":"chatcmpl-tool-1","type":"function","index":0,"function":{"name":"price"}}]},"logprobs":null,"finish_reason":null,"token_ids":[151657]}]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"of\\": \\"<te"}}]},"logprobs":null,"finish_reason":null,"token_ids":[1]}]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"a>\\"}"}}]},"logprobs":null,"finish_reason":null,"token_ids":[2]}]}`,
  `{${HEAD},"choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"tool_calls","stop_reason":null,"token_ids":[151645]}]}`,
  `{${HEAD},"choices":[],"usage":{"prompt_tokens":200,"total_tokens":209,"completion_tokens":9}}`,
  '[DONE]',
]

/** With `logprobs` and one alternative. */
export const VLLM_LOGPROBS = [
  `{${HEAD},"choices":[{"index":0,"delta":{"content":"Yes"},"logprobs":{"content":[{"token":"Yes","logprob":-0.25,"bytes":[89,101,115],"top_logprobs":[{"token":"Yes","logprob":-0.25,"bytes":[89,101,115]},{"token":"No","logprob":-1.5,"bytes":[78,111]}]}]},"finish_reason":"stop","token_ids":[9454]}]}`,
  `{${HEAD},"choices":[],"usage":{"prompt_tokens":20,"total_tokens":21,"completion_tokens":1}}`,
  '[DONE]',
]

/** Bodies of refusals: status and JSON. */
export const VLLM_REFUSALS = {
  context: [
    400,
    `{"error":{"message":"This model's maximum context length is 32768 tokens. However, you requested 1024 output tokens and your prompt contains at least 31745 input tokens, for a total of at least 32769 tokens.","type":"BadRequestError","param":"input_tokens","code":400}}`,
  ],
  model: [
    404,
    '{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}}',
  ],
  key: [401, '{"error":"Unauthorized"}'],
  tiles: [
    400,
    '{"error":{"message":"Per-request mm_processor_kwargs are disabled by default because they can change multimodal preprocessing resource usage. Start the server with --trust-request-mm-kwargs only when clients are trusted.","type":"BadRequestError","param":"mm_processor_kwargs","code":400}}',
  ],
  tools: [
    400,
    '{"error":{"message":"\\"auto\\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set","type":"BadRequestError","param":null,"code":400}}',
  ],
} as const
