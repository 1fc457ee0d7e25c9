export { ChatNVLM, type ChatNVLMCallOptions, type ChatNVLMFields } from './langchain/chat-nvlm.js'
