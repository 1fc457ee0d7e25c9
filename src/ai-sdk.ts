export { type NVLMModelOptions, nvlmModel } from './ai-sdk/language-model.js'
